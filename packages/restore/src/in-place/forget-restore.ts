import type { Owner } from "@soar/durable-files";
import { join } from "node:path";
import { lstat } from "node:fs/promises";
import { waitingWal } from "../archive-wal/waiting-wal.ts";
import type { LocalWalFile } from "../archive-wal/wal-to-archive.ts";
import { RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { endRestore } from "../status/end-restore.ts";
import { RecordKeeper } from "../status/record-keeper.ts";
import { lockRestore } from "../status/restore-lock.ts";
import { readRestoreRecord, type RestoreRecord } from "../status/restore-record.ts";

/** A restore that was interrupted behind the start of its server. */
export interface OpenedRestore {
  /** What it was asked for, in words. */
  readonly target: string;
  /** WAL files that it had to store, of which some may be in no repository yet. Undefined where its list of them cannot be read. */
  readonly waiting: readonly LocalWalFile[] | undefined;
}

/** The interrupted restore of a data directory, or of one that was kept; undefined where none has come to open its server. */
export async function findOpened(dataDir: string): Promise<OpenedRestore | undefined> {
  const record = await readRestoreRecord(dataDir);
  return record?.phase === "opened" ? { target: record.target, waiting: await waitingWal(dataDir, record) } : undefined;
}

/**
 * Ends such a restore where it is, so that the next one begins anew: its record goes, the data stays as it is, and what was kept
 * stays where it is. Rejects with `DIRECTORY_NOT_EMPTY` while a restore is at work there.
 */
export async function forgetOpened(dataDir: string): Promise<void> {
  await endOpened(dataDir, async () => undefined);
}

/**
 * Does `work` as the only restore there, and ends the restore when that resolves. Undefined where none was opened by then.
 * Rejects with `DIRECTORY_NOT_EMPTY` while a restore is at work there.
 */
export async function endOpened<T>(
  dataDir: string,
  work: (record: RestoreRecord, owner: Owner) => Promise<T>,
): Promise<T | undefined> {
  const { uid, gid } = await lstat(join(dataDir, RESTORE_STATE_DIRECTORY));
  const owner = { uid, gid };
  const lock = await lockRestore(dataDir, owner);
  try {
    // What it was when somebody was asked may not be what it is.
    const record = await readRestoreRecord(dataDir);
    if (record?.phase !== "opened") return undefined;
    const done = await work(record, owner);
    await endRestore({ dataDir, owner, keeper: new RecordKeeper(dataDir, record, { owner, lock }) });
    return done;
  } finally {
    await lock.release();
  }
}
