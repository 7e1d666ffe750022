import { stat } from "node:fs/promises";
import { join } from "node:path";
import { lstatIfPresent } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import { readClusterState, readLiveControlFile } from "@soar/pg-tools/cluster";
import type { ControlFile } from "@soar/pg-tools/control-file";
import { isFile } from "../is-file.ts";
import { readRestoreRecord, recordPath, type RestoreRecord } from "./restore-record.ts";

/** Checkpoints that belong to the end of a restore and to the start of its server come at once. */
const OWN_LIFE_MS = 3600_000;

/**
 * The record of a restore that may still be gone on with. Undefined when there is none, and when the cluster that it left has
 * been in use since: somebody went on without us, and what the record says of the directory is history. To follow it then
 * would take the running cluster for the one that was restored, and its newest WAL for worthless. A record of the phase
 * `opened` never lapses while its cluster is there: it ends when everything is stored, or when it is forgotten.
 * Rejects like `readRestoreRecord`.
 */
export async function readUnfinished(dataDir: string): Promise<RestoreRecord | undefined> {
  const record = await readRestoreRecord(dataDir);
  return record === undefined || (await hasLivedOn(dataDir, record)) ? undefined : record;
}

async function hasLivedOn(dataDir: string, record: RestoreRecord): Promise<boolean> {
  // Nothing that a server does makes untrue that it was opened (decision 17).
  if (record.phase === "opened") return await isGone(dataDir);
  const control = await readControl(dataDir);
  if (control === undefined || !isInProduction(control) || (await isFile(join(dataDir, "recovery.signal"))))
    return false;
  // Nobody from outside can have reached the server that the restore itself has started.
  if (await isOwnServer(dataDir, record)) return false;
  const { mtimeMs } = await stat(recordPath(dataDir));
  return Number(control.checkpointTime / 1000n) > mtimeMs + OWN_LIFE_MS;
}

/**
 * Whether a server of a directory that was fetched has left recovery, whatever was noted of it: it takes writes, or has. Before its first start
 * `backup_label` lies there still.
 */
export async function hasEndedRecovery(dataDir: string): Promise<boolean> {
  for (const name of ["recovery.signal", "standby.signal", "backup_label"])
    if (await isFile(join(dataDir, name))) return false;
  const control = await readControl(dataDir);
  return control !== undefined && isInProduction(control);
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

/** A file that is only torn, or cannot be read, is there; so is the cluster of a server that runs. */
async function isGone(dataDir: string): Promise<boolean> {
  if ((await lstatIfPresent(controlPath(dataDir))) !== undefined) return false;
  return !(await readClusterState(dataDir)).running;
}

function controlPath(dataDir: string): string {
  return join(dataDir, "global", "pg_control");
}

/**
 * Undefined while a restore has taken it away, and where it stays torn: then nothing was started there since. A server that
 * runs may be in the middle of writing it.
 */
async function readControl(dataDir: string): Promise<ControlFile | undefined> {
  if ((await lstatIfPresent(controlPath(dataDir))) === undefined) return undefined;
  try {
    return await readLiveControlFile(dataDir);
  } catch (error) {
    if (hasErrorCode(error, "FORMAT_INVALID") || (await lstatIfPresent(controlPath(dataDir))) === undefined)
      return undefined;
    throw error;
  }
}
