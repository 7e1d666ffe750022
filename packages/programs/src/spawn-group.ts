import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { SoarError } from "@soar/errors";
import type { ProgramOptions } from "./program-options.ts";

/**
 * Starts a program in a group and session of its own: signals to our group, Ctrl-C among them, do not reach it. Throws
 * `PROGRAM_MISSING` for what the system refuses at once, a user that we cannot become or too many arguments; the rest comes as
 * an `error` event.
 */
export function spawnGroup(
  path: string,
  args: readonly string[],
  { env, cwd = "/", owner, stdio }: Pick<ProgramOptions, "env" | "cwd" | "owner"> & { readonly stdio: StdioOptions },
): ChildProcess {
  try {
    return spawn(path, args, { env: { ...env }, cwd, stdio, detached: true, ...owner });
  } catch (cause) {
    if (!(cause instanceof Error && "syscall" in cause)) throw cause;
    throw programMissing(path, cause);
  }
}

/** The error of a program that did not even start. Its cause has the system's code, `ENOENT` where there is no such program. */
export function programMissing(path: string, cause: Error): SoarError {
  return new SoarError("PROGRAM_MISSING", `unable to run '${path}': ${cause.message}`, { cause });
}
