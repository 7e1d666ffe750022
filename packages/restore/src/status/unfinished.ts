import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readIfPresent } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import { readClusterState } from "@soar/pg-tools/cluster";
import { readControlFile, type ControlFile } from "@soar/pg-tools/control-file";
import { isFile } from "../is-file.ts";
import { readRestoreRecord, recordPath, type RestoreRecord } from "./restore-record.ts";

/** Checkpoints that belong to the end of a restore and to the start of its server come at once. */
const OWN_LIFE_MS = 3600_000;

/**
 * The record of a restore that may still be gone on with. Undefined when there is none, and when the cluster that it left has
 * been in use since: somebody went on without us, and what the record says of the directory is history. To follow it then
 * would take the running cluster for the one that was restored, and its newest WAL for worthless. A record of the phase
 * `archive` holds as long as its cluster is there: it ends when everything is stored.
 * Rejects like `readRestoreRecord`.
 */
export async function readUnfinished(dataDir: string): Promise<RestoreRecord | undefined> {
  const record = await readRestoreRecord(dataDir);
  return record === undefined || (await hasLivedOn(dataDir, record)) ? undefined : record;
}

async function hasLivedOn(dataDir: string, record: RestoreRecord): Promise<boolean> {
  const control = await readControl(dataDir);
  // It says nothing of the directory that a server could make untrue, but of WAL outside of it (decision 17).
  if (record.phase === "archive") return control === undefined;
  if (control === undefined || !isInProduction(control) || (await isFile(join(dataDir, "recovery.signal"))))
    return false;
  // Nobody from outside can have reached the server that the restore itself has started.
  if (await isOwnServer(dataDir, record)) return false;
  const { mtimeMs } = await stat(recordPath(dataDir));
  return Number(control.checkpointTime / 1000n) > mtimeMs + OWN_LIFE_MS;
}

function isInProduction({ state }: ControlFile): boolean {
  return state === "in-production" || state === "shut-down" || state === "shutting-down";
}

/** Whether the server that runs in the directory is the one that a restore has started, reachable by its private socket only. */
export async function isOwnServer(dataDir: string, { privateDir }: RestoreRecord): Promise<boolean> {
  if (privateDir === undefined) return false;
  const { running, socketDir } = await readClusterState(dataDir);
  return running && socketDir === privateDir;
}

/** Undefined while a restore has taken it away, and where it is torn: then nothing was started there since. */
async function readControl(dataDir: string): Promise<ControlFile | undefined> {
  const bytes = await readIfPresent(join(dataDir, "global", "pg_control"));
  try {
    return bytes === undefined ? undefined : readControlFile(bytes);
  } catch (error) {
    if (hasErrorCode(error, "FORMAT_INVALID")) return undefined;
    throw error;
  }
}
