import { basename } from "node:path";

/** How a program ended. */
export interface ProgramEnd {
  /** Undefined when it did not end by itself. */
  readonly status: number | undefined;
  /** `exit status 1`, `signal SIGTERM`. */
  readonly how: string;
  /** The same in a sentence that names the program. */
  readonly ending: string;
}

export function describeEnd(path: string, status: number | null, by: NodeJS.Signals | null): ProgramEnd {
  const name = basename(path);
  return by === null
    ? {
        status: status ?? undefined,
        how: `exit status ${status}`,
        ending: `'${name}' ended with exit status ${status}`,
      }
    : { status: undefined, how: `signal ${by}`, ending: `'${name}' was ended by ${by}` };
}

/** It was ended because it took too long. */
export function describeDelay(path: string, timeoutMs: number): ProgramEnd {
  const limit = `within ${timeoutMs / 1000} s`;
  return { status: undefined, how: `no end ${limit}`, ending: `'${basename(path)}' did not end ${limit}` };
}

/** It runs on, and nothing can be done about it. */
export function describeStubborn(path: string): ProgramEnd {
  return { status: undefined, how: "no end, even by force", ending: `'${basename(path)}' cannot be ended` };
}
