import { once } from "node:events";
import { showMemoryOf } from "./core-dumps.ts";
import { describeEnd, type ProgramEnd } from "./program-end.ts";
import type { ProgramOptions } from "./program-options.ts";
import { programMissing, spawnGroup } from "./spawn-group.ts";

export interface LaunchOptions extends Pick<ProgramOptions, "env" | "cwd" | "owner"> {
  /** A descriptor that gets everything that it prints. */
  readonly printTo: number;
}

/** A program that goes on when this process ends. */
export interface LaunchedProgram {
  readonly pid: number;
  /** How it ended, once it has. */
  ended(): ProgramEnd | undefined;
}

/**
 * Starts a server: in a session of its own, so that Ctrl-C on us does not end it, and with what its core dumps held before
 * `hideMemory`. Nothing here ends it or waits for it. Rejects
 * with `PROGRAM_MISSING` when it cannot be run at all.
 */
export async function launchProgram(
  path: string,
  args: readonly string[],
  { printTo, ...options }: LaunchOptions,
): Promise<LaunchedProgram> {
  const child = spawnGroup(path, args, { ...options, stdio: ["ignore", printTo, printTo] });
  let ended: ProgramEnd | undefined;
  child.once("exit", (status, by) => (ended = describeEnd(path, status, by)));
  await once(child, "spawn").catch((cause: Error) => {
    throw programMissing(path, cause);
  });
  if (child.pid !== undefined) showMemoryOf(child.pid);
  child.unref();
  return { pid: child.pid ?? 0, ended: () => ended };
}
