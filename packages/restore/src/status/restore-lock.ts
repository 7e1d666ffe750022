import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { isHeld, makeDirectory, meansAbsent, type Owner, type ProcessLock, tryLock } from "@soar/durable-files";
import { removeTree } from "@soar/durable-files/directories";
import { isProcessAlive } from "@soar/durable-files/processes";
import { SoarError } from "@soar/errors";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { readRestoreRecord } from "./restore-record.ts";

/** In the directory of a restore's state. */
export const LOCK_NAME = "lock";

/** Whether a restore is at work in this directory, from wherever that is: another container, too. */
export async function isAtWork(dataDir: string): Promise<boolean> {
  if (await isHeld(join(dataDir, RESTORE_STATE_DIRECTORY, LOCK_NAME), { base: dataDir })) return true;
  const record = await readRestoreRecord(dataDir);
  // Of a version that held no lock: nothing but its process id tells.
  return record?.processStart !== undefined && (await isProcessAlive(record.processId, record.processStart));
}

/** Rejects with `DIRECTORY_NOT_EMPTY` when another restore is at work in this directory. */
export async function requireAlone(dataDir: string): Promise<void> {
  if (await isAtWork(dataDir)) throw otherAtWork(dataDir, (await readRestoreRecord(dataDir))?.processId ?? "unknown");
}

/** Makes this restore the only one in its directory. Rejects with `DIRECTORY_NOT_EMPTY` when another one is at work there. */
export async function lockRestore(dataDir: string, owner: Owner | undefined): Promise<ProcessLock> {
  const [stateDir, within] = [join(dataDir, RESTORE_STATE_DIRECTORY), inDataDirectory(dataDir, owner)];
  await makeDirectory(stateDir, { mode: 0o700, owner, sync: "directory", within });
  const found = await lstat(join(stateDir, LOCK_NAME)).catch(ignoreAbsent);
  // Nobody holds a directory as a lock, and none is ours.
  if (found?.isDirectory() === true) await removeTree(join(stateDir, LOCK_NAME), { sync: "none", within });
  const outcome = await tryLock(join(stateDir, LOCK_NAME), within);
  if ("release" in outcome) return outcome;
  throw otherAtWork(dataDir, outcome.processId);
}

/** The failure of a restore where another one is at work. */
export function otherAtWork(dataDir: string, processId: string | number): SoarError {
  return new SoarError(
    "DIRECTORY_NOT_EMPTY",
    `unable to restore into '${dataDir}': another soar-restore, process ${processId}, is at work there`,
    {
      hint: "Watch it with: soar-restore status. Nothing was changed.",
    },
  );
}

function ignoreAbsent(error: unknown): undefined {
  if (meansAbsent(error)) return undefined;
  throw error;
}
