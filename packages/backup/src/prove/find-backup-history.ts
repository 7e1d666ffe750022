import { LARGEST_HISTORY, walKey } from "@soar/repository/wal";
import { formatBackupHistoryName, segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import { sha256Hex, type BackupRecord } from "@soar/repository";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";

export interface BackupBegin {
  readonly startLsn: Lsn;
  readonly startTimeline: number;
  readonly segmentSize: number;
  readonly isStandby: boolean;
}

/**
 * The backup history file that the server has archived for this backup, with the digest by which a verification knows it again.
 * Undefined where it is not in the bucket yet, which is nothing to wait for, or when a standby was backed up, which writes none.
 */
export async function findBackupHistory(
  store: ObjectStore,
  { startLsn, startTimeline: timeline, segmentSize, isStandby }: BackupBegin,
  options: CallOptions,
): Promise<BackupRecord["backupHistory"]> {
  // What has that name is of a backup of its primary, which began at the same checkpoint.
  if (isStandby) return undefined;
  const segment = { timeline, index: segmentIndexOfLsn(startLsn, segmentSize) };
  const name = formatBackupHistoryName(segment, Number(startLsn % BigInt(segmentSize)), segmentSize);
  const key = walKey(name, "none");
  const stored = await store.stat(key, options);
  if (stored === undefined || stored.size > LARGEST_HISTORY) return undefined;
  return { name, sha256: sha256Hex(await readObject(store, key, { ...options, maxBytes: LARGEST_HISTORY })) };
}
