import type { Owner } from "@soar/durable-files";
import { join } from "node:path";
import { lstat } from "node:fs/promises";
import { waitingWal } from "../archive-wal/waiting-wal.ts";
import type { LocalWalFile } from "../archive-wal/wal-to-archive.ts";
import { RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { endRestore } from "../status/end-restore.ts";
import { RecordKeeper } from "../status/record-keeper.ts";
import { lockRestore } from "../status/restore-lock.ts";
import { hasEndedRecovery } from "../status/unfinished.ts";
import { readRestoreRecord, type RestoreRecord } from "../status/restore-record.ts";

/** A restore that was interrupted behind the start of its server. */
export interface OpenedRestore {
  readonly systemIdentifier: string;
  /** What it was asked for, in words. */
  readonly target: string;
  /** WAL files that it had to store, of which some may be in no repository yet. Undefined where its list of them cannot be read. */
  readonly waiting: readonly LocalWalFile[] | undefined;
}

/** Which restores are meant, of those that were interrupted. */
type Which = (dataDir: string, record: RestoreRecord) => Promise<boolean>;

const isOpened: Which = async (_, { phase }) => phase === "opened";

/** What may be given up: recovery is over by what was noted, as in `finish`, whose server does not start, or by what lies there. */
const isEndedByHand: Which = async (dataDir, { phase }) => {
  if (phase === "finish" || phase === "opened") return true;
  return phase !== "fetch" && (await hasEndedRecovery(dataDir));
};

/** The interrupted restore of a data directory, or of one that was kept; undefined where none has come to open its server. */
export async function findOpened(dataDir: string): Promise<OpenedRestore | undefined> {
  return await findInterrupted(dataDir, isOpened);
}

/** One that `forgetRestore` ends: its server was opened, or recovery is over, also that of a copy which somebody has let go on. */
export async function findForgettable(dataDir: string): Promise<OpenedRestore | undefined> {
  return await findInterrupted(dataDir, isEndedByHand);
}

async function findInterrupted(dataDir: string, isMeant: Which): Promise<OpenedRestore | undefined> {
  const record = await readRestoreRecord(dataDir);
  if (record === undefined || !(await isMeant(dataDir, record))) return undefined;
  const { target, systemIdentifier } = record;
  return { target, systemIdentifier, waiting: await waitingWal(dataDir, record) };
}

/**
 * Ends such a restore where it is, so that the next one begins anew: its record goes, the data stays as it is, and what was kept
 * stays where it is. Rejects with `DIRECTORY_NOT_EMPTY` while a restore is at work there.
 */
export async function forgetRestore(dataDir: string): Promise<void> {
  await endInterrupted(dataDir, isEndedByHand, async () => undefined);
}

/** As `endInterrupted` of the phase `opened`. */
export async function endOpened<T>(
  dataDir: string,
  work: (record: RestoreRecord, owner: Owner) => Promise<T>,
): Promise<T | undefined> {
  return await endInterrupted(dataDir, isOpened, work);
}

/**
 * Does `work` as the only restore there, and ends the restore when that resolves. Undefined where none is meant by then.
 * Rejects with `DIRECTORY_NOT_EMPTY` while a restore is at work there.
 */
async function endInterrupted<T>(
  dataDir: string,
  isMeant: Which,
  work: (record: RestoreRecord, owner: Owner) => Promise<T>,
): Promise<T | undefined> {
  const { uid, gid } = await lstat(join(dataDir, RESTORE_STATE_DIRECTORY));
  const owner = { uid, gid };
  const lock = await lockRestore(dataDir, owner);
  try {
    // What it was when somebody was asked may not be what it is.
    const record = await readRestoreRecord(dataDir);
    if (record === undefined || !(await isMeant(dataDir, record))) return undefined;
    const done = await work(record, owner);
    await endRestore({ dataDir, owner, keeper: new RecordKeeper(dataDir, record, { owner, lock }) });
    return done;
  } finally {
    await lock.release();
  }
}
