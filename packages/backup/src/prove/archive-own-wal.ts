import { join } from "node:path";
import { hasErrorCode, messageOf } from "@soar/errors";
import {
  formatBackupHistoryName,
  formatWalSegment,
  segmentIndexBeforeLsn,
  segmentIndexOfLsn,
  type Lsn,
} from "@soar/pg-tools";
import type { ArchiveWal } from "@soar/restore";
import type { ObjectStore } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";
import { findMissingSegment } from "./wait-for-wal.ts";

/** A backup that the server on this machine has just ended. */
export interface OwnWal {
  readonly dataDirectory: string;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly timeline: number;
  readonly segmentSize: number;
}

/** Of these the server's archiver may be at work when a backup ends. What lies before them it has had the time for. */
const NEWEST_SEGMENTS = 2;

/** These say that the backup cannot be whole here; what else goes wrong is left to the server's archiver, which may do better. */
const FATAL = ["WAL_CONFLICT", "REPOSITORY_FOREIGN", "ABORTED"] as const;

/**
 * Stores the newest WAL that a finished backup needs, side by side, and its history file: the server's archiver hands one file after the
 * other to its command, when it wakes up, and finds them archived already. Where that is further behind, nothing is stored: the backup
 * waits for it, as it may be dead. Of the newest segments those that the bucket has are compared, too: on a name alone an archiver that
 * is stuck there, because the bytes are another server's, would be passed over. Resolves with why something was not stored, or
 * undefined. Rejects with `WAL_CONFLICT`, `REPOSITORY_FOREIGN`, `ABORTED` or the store's failure to list.
 */
export async function archiveOwnWal(
  store: ObjectStore,
  { dataDirectory: dataDir, timeline, startLsn, stopLsn, segmentSize }: OwnWal,
  { archiveWal, signal }: { readonly archiveWal: ArchiveWal; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const fromIndex = segmentIndexOfLsn(startLsn, segmentSize);
  const lastIndex = segmentIndexBeforeLsn(stopLsn, segmentSize);
  const newest = Math.max(fromIndex, lastIndex - NEWEST_SEGMENTS + 1);
  const behind = await findMissingSegment(store, { timeline, segmentSize, fromIndex, toIndex: newest - 1, signal });
  if (behind !== undefined) return `the server's archiver is still at '${behind}'`;
  const names: string[] = [];
  for (let index = newest; index <= lastIndex; index += 1)
    names.push(formatWalSegment({ timeline, index }, segmentSize));
  const begin = { timeline, index: fromIndex };
  names.push(formatBackupHistoryName(begin, Number(startLsn % BigInt(segmentSize)), segmentSize));

  const work = async (name: string, stop: AbortSignal): Promise<string | undefined> => {
    try {
      await archiveWal(join(dataDir, "pg_wal", name), name, { dataDir, signal: stop });
      return undefined;
    } catch (error) {
      if (FATAL.some((code) => hasErrorCode(error, code))) throw error;
      return messageOf(error);
    }
  };
  // Whatever keeps one from being stored keeps the next ones, too.
  for await (const reason of mapOrdered(names, work, { maxItems: NEWEST_SEGMENTS, signal })) {
    if (reason !== undefined) return reason;
  }
  return undefined;
}
