import { join } from "node:path";
import { isHeld, makeDirectory, type ProcessLock, removeLeftovers, tryLock } from "@soar/durable-files";
import { messageOf, SoarError } from "@soar/errors";
import { doubtOfDirectory } from "./socket-trust.ts";

const LEFTOVER_MS = 60 * 60_000;

/**
 * Makes sure that one archiver uses a spool. Rejects with `CONFIG_INVALID` when the spool is in use or somebody else's, `FILE_UNWRITABLE` when
 * it cannot be written.
 */
export async function lockSpool(spoolDir: string): Promise<ProcessLock> {
  requireOwnPlace(spoolDir);
  const outcome = await lockIn(spoolDir).catch((cause: unknown) => {
    throw new SoarError("FILE_UNWRITABLE", `unable to use the spool '${spoolDir}': ${messageOf(cause)}`, {
      cause,
      hint: `Run: install -d -m 700 -o postgres -g postgres ${spoolDir}, or name another directory with --spool (BACKUP_SPOOL_DIR).`,
    });
  });
  if ("release" in outcome) return outcome;
  throw new SoarError(
    "CONFIG_INVALID",
    `unable to use the spool '${spoolDir}': the archiver with process id ${outcome.processId} uses it`,
    {
      hint: "One archiver runs per cluster. For another cluster on this machine name another directory with --spool (BACKUP_SPOOL_DIR).",
    },
  );
}

/** Whoever can put files into the spool can tell PostgreSQL that a segment is archived. */
function requireOwnPlace(directory: string): void {
  const doubt = doubtOfDirectory(directory);
  if (doubt === undefined) return;
  throw new SoarError("CONFIG_INVALID", `unable to use '${directory}' for the archiver's files: ${doubt}`, {
    hint: `Look at what somebody has put there, remove it and run: install -d -m 700 -o postgres -g postgres ${directory}. Or name another directory with --spool (BACKUP_SPOOL_DIR).`,
  });
}

/** Whether an archiver uses the spool. */
export async function isSpoolInUse(spoolDir: string): Promise<boolean> {
  return await isHeld(join(spoolDir, "lock"));
}

async function lockIn(spoolDir: string): ReturnType<typeof tryLock> {
  // The spool survives nothing on purpose: what a crash takes from it is asked of PostgreSQL and the bucket again.
  await makeDirectory(spoolDir, { mode: 0o700, sync: "none" });
  // Archive commands write counters here at any moment, each within milliseconds.
  await removeLeftovers(spoolDir, { idleMs: LEFTOVER_MS });
  return await tryLock(join(spoolDir, "lock"));
}
