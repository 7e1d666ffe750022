import { SoarError } from "@soar/errors";
import { formatLsn, formatWalSegment, lsnOfSegmentIndex, parseWalSegment, segmentIndexOfLsn } from "@soar/pg-tools";
import { listTailPieces, listTailSegments } from "@soar/repository/tail";
import { listTimelineSegments } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";

export interface ServerPosition {
  readonly timeline: number;
  /** Up to here the server has flushed WAL. */
  readonly walLsn: bigint;
  readonly segmentSize: number;
}

/**
 * A server never has less WAL than it sent before: physical replication sends flushed WAL only. If the bucket knows WAL of
 * this timeline beyond the server's end, its volume was rolled back to an older state (a snapshot, a copy), and what it
 * writes from now on is another history under the same names. Rejects with `WAL_CONFLICT`.
 */
export async function requireNoRollback(
  store: ObjectStore,
  { timeline, walLsn, segmentSize }: ServerPosition,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const index = segmentIndexOfLsn(walLsn, segmentSize);
  const { segments } = await listTimelineSegments(store, timeline, segmentSize, {
    fromIndex: index,
    signal: options.signal,
  });
  for (const archived of segments.keys())
    throw rolledBack(store, walLsn, { timeline, lsn: lsnOfSegmentIndex(archived + 1, segmentSize) });
  const current = formatWalSegment({ timeline, index }, segmentSize);
  for (const name of await listTailSegments(store, options)) {
    const tail = parseWalSegment(name, segmentSize);
    if (tail.timeline !== timeline || name < current) continue;
    for (const { to } of await listTailPieces(store, name, options)) {
      const lsn = lsnOfSegmentIndex(tail.index, segmentSize) + BigInt(to);
      if (lsn > walLsn) throw rolledBack(store, walLsn, { timeline, lsn });
    }
  }
}

function rolledBack(
  store: ObjectStore,
  walLsn: bigint,
  { timeline, lsn }: { timeline: number; lsn: bigint },
): SoarError {
  return new SoarError(
    "WAL_CONFLICT",
    `unable to ship WAL from ${formatLsn(walLsn)}: '${store.location}' holds WAL of timeline ${timeline} up to ${formatLsn(lsn)}, which this server does not have`,
    {
      hint: "The server's volume was rolled back to an older state, so it writes another history under the same names. Nothing was overwritten. Begin a new archive epoch: set BACKUP_BUCKET to a new prefix, restart the archiver, run soar-base-backup at once, and keep the old prefix for restores to before (runbook: The volume was rolled back).",
    },
  );
}
