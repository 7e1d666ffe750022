import { runProgram } from "./run-program.ts";
import { serverUser } from "./server-user.ts";
import type { ProgramResult } from "./start-program.ts";

export interface ServerProgramOptions {
  /** Added to an environment that has none of the caller's PG* variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Return the result of a program that failed instead of throwing. */
  readonly mayFail?: boolean;
}

/** The caller's environment without what would silently redirect a server or client program. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|NODE_OPTIONS)/.test(name));
  return { ...Object.fromEntries(kept.map(([name, value]) => [name, value ?? ""])), LC_ALL: "C", TZ: "UTC", ...extra };
}

/** Runs a program as the servers' user. Throws a `ProgramFailure` unless it exits with 0 or `mayFail` is set. */
export function runAsServerUser(
  path: string,
  args: readonly string[],
  { env, cwd = "/", input = "", mayFail = false }: ServerProgramOptions = {},
): Promise<ProgramResult> {
  return runProgram([path, ...args], { cwd, env: cleanEnvironment(env), user: serverUser(), input, mayFail });
}
