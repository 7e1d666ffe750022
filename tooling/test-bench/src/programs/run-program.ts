import { startProgram, type ProgramResult, type StartOptions } from "./start-program.ts";

/** A program that did not end with status 0. Its message ends with everything that the program printed. */
export class ProgramFailure extends Error {
  override readonly name = "ProgramFailure";
}

export interface RunOptions extends StartOptions {
  /** Ends the program; its reason is thrown then. */
  readonly signal?: AbortSignal;
  /** Return the result of a program that failed instead of throwing. */
  readonly mayFail?: boolean;
}

/** Time for a program to give up what it has begun, before it is killed. */
const GRACE_MS = 10_000;

/**
 * Runs a program to its end. Throws a `ProgramFailure` unless it exits with 0 or `mayFail` is set, the reason of the
 * signal, or the error of a program that cannot be started.
 */
export async function runProgram(words: readonly string[], options: RunOptions): Promise<ProgramResult> {
  const { signal, mayFail = false } = options;
  signal?.throwIfAborted();
  const program = startProgram(words, options);
  const end = (): void => program.end(GRACE_MS);
  signal?.addEventListener("abort", end, { once: true });
  const result = await program.result.finally(() => signal?.removeEventListener("abort", end));
  signal?.throwIfAborted();
  if (result.status !== 0 && !mayFail) {
    const how = result.status === null ? (result.signal ?? "a signal") : `status ${result.status}`;
    throw new ProgramFailure(`'${words.join(" ")}' ended with ${how}\n${program.printed()}`);
  }
  return result;
}
