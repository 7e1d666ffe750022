import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { HandedStorage } from "@soar/app-kit";
import { messageOf, SoarError } from "@soar/errors";
import { quoteForShell, runProgram } from "@soar/programs";

const PROGRAM = "soar-base-backup";

/** The base backup that a gap needs: into the same storage, reached in the same way. */
export interface NeededBackup {
  readonly envFile: string | undefined;
  readonly storage: HandedStorage;
}

/** How an operator starts it. */
export function baseBackupCommand({ envFile, storage }: NeededBackup): readonly string[] {
  return [PROGRAM, ...(envFile === undefined ? [] : ["--env-file", envFile]), ...storage.words];
}

/** Whether the program can be found. */
export function isBaseBackupInstalled(path = process.env["PATH"] ?? ""): boolean {
  return path.split(delimiter).some((directory) => existsSync(join(directory, PROGRAM)));
}

/** It removes what it has stored before it ends, which takes as long as the store does. */
const FORCE_AFTER_MS = 10 * 60_000;

/** Takes a base backup and waits for it; its log goes to stderr. Rejects with `PROGRAM_FAILED`. */
export async function takeBaseBackup(needed: NeededBackup, signal: AbortSignal): Promise<void> {
  const [program = PROGRAM, ...args] = baseBackupCommand(needed);
  let fact: string;
  try {
    const { status, ending } = await runProgram(program, args, {
      env: { ...process.env, ...needed.storage.environment },
      // The env file may be named by a relative path.
      cwd: process.cwd(),
      // Its result is not this command's: stdout is for data.
      printTo: 2,
      signal,
      forceAfterMs: FORCE_AFTER_MS,
      // A second signal ends us, but not what it has to put in order.
      mayOutlive: true,
    });
    if (status === 0) return;
    fact = ending;
  } catch (error) {
    fact = messageOf(error);
  }
  throw new SoarError("PROGRAM_FAILED", `the gap is declared, but the base backup failed: ${fact}`, {
    hint: `Nothing behind the gap can be restored until there is one. Run: ${[program, ...args].map(quoteForShell).join(" ")}`,
  });
}
