import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory, type Owner } from "@soar/durable-files";
import { removeTree } from "@soar/durable-files/directories";
import { freeBytesAt, RESTORE_STATE_DIRECTORY } from "../../data-directory.ts";
import { LARGEST_SPOOL_BYTES, LARGEST_SPOOL_SEGMENTS, SPOOL_SHARE } from "../../plan/spool-limits.ts";

/** It survives nothing on purpose. */
const SYNC = "none";

/**
 * Makes an empty spool on the file system of pg_wal, so that taking a segment is a rename: beside the plan of the restore,
 * or in pg_wal itself when that is a link to somewhere else, where PostgreSQL passes over names that are not its own.
 */
export async function createSpoolDirectory(dataDir: string, owner: Owner | undefined): Promise<string> {
  const { directory, base } = await spoolPlace(dataDir);
  // What an earlier run left was checked, too, but nobody counts it.
  const within = { base, owner };
  await removeTree(directory, { sync: SYNC, within });
  await makeDirectory(directory, { mode: 0o700, owner, sync: SYNC, within });
  return directory;
}

async function spoolPlace(dataDir: string): Promise<{ readonly directory: string; readonly base: string }> {
  const [walDir, stateDir] = [await realpath(join(dataDir, "pg_wal")), join(dataDir, RESTORE_STATE_DIRECTORY)];
  const [wal, state] = [await stat(walDir), await stat(stateDir)];
  return wal.dev === state.dev
    ? { directory: join(stateDir, "spool"), base: dataDir }
    : { directory: join(walDir, "soar-spool"), base: walDir };
}

/** Segments that may lie ready or be in flight at once; at least one. */
export async function spoolWindow(directory: string, segmentSize: number): Promise<number> {
  const bytes = Math.min(LARGEST_SPOOL_BYTES, (await freeBytesAt(directory)) * SPOOL_SHARE);
  return Math.max(1, Math.min(LARGEST_SPOOL_SEGMENTS, Math.floor(bytes / segmentSize)));
}
