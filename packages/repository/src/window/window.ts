import {
  compareLsn,
  isOnLineage,
  lsnOfSegmentIndex,
  parseLsn,
  parseWalSegment,
  type Lsn,
  type TimelineHistory,
} from "@soar/pg-tools";
import type { BackupRecord } from "../records/backup-record.ts";
import { assembleChain, type ChainHole, type WalChain } from "../chain/wal-chain.ts";
import type { TimelineSegments } from "../wal/wal-inventory.ts";

/** A stretch of WAL along one timeline's lineage, to any position of which the cluster can be restored. */
export interface RestorableSpan {
  /** The end of the first backup in it. */
  readonly fromLsn: Lsn;
  /** End of the last segment before the next hole, or of the archive. */
  readonly toLsn: Lsn;
  /** Backups that recovery within this stretch can begin at, oldest first. */
  readonly backups: readonly [BackupRecord, ...BackupRecord[]];
  readonly chain: WalChain;
  /** What ends it; undefined at the end of the archive. */
  readonly hole: ChainHole | undefined;
}

export interface TimelineSpans {
  readonly history: TimelineHistory;
  readonly spans: readonly RestorableSpan[];
  /** Backups on this lineage that lack WAL without which they are not consistent. */
  readonly unusable: readonly BackupRecord[];
}

/**
 * Which positions along the lineage of `history` can be restored, from listings alone: from the end of each backup as far
 * as the chain of segments from its first one goes.
 */
export function findRestorableSpans(
  history: TimelineHistory,
  records: readonly BackupRecord[],
  inventories: ReadonlyMap<number, TimelineSegments>,
): TimelineSpans {
  const onLineage = records
    .filter((record) => isOnLineage(history, { timeline: record.timeline, lsn: parseLsn(record.stopLsn) }))
    .sort(byStop);
  const spans: RestorableSpan[] = [];
  const unusable: BackupRecord[] = [];
  for (const record of onLineage) {
    const [first, last] = [indexOf(record, record.firstSegment), indexOf(record, record.lastSegment)];
    const current = spans.at(-1);
    const isReached = current !== undefined && first < current.chain.endIndex;
    const span = isReached ? current : spanFrom(history, record, first, inventories);
    if (last >= span.chain.endIndex) unusable.push(record);
    else if (isReached) spans[spans.length - 1] = { ...span, backups: [...span.backups, record] };
    else spans.push(span);
  }
  return { history, spans, unusable };
}

function spanFrom(
  history: TimelineHistory,
  record: BackupRecord,
  first: number,
  inventories: ReadonlyMap<number, TimelineSegments>,
): RestorableSpan {
  const chain = assembleChain(history, record.walSegmentSize, first, inventories);
  return {
    fromLsn: parseLsn(record.stopLsn),
    toLsn: lsnOfSegmentIndex(chain.endIndex, record.walSegmentSize),
    backups: [record],
    chain,
    hole: chain.holes[0],
  };
}

function indexOf({ walSegmentSize }: BackupRecord, segment: string): number {
  return parseWalSegment(segment, walSegmentSize).index;
}

function byStop(a: BackupRecord, b: BackupRecord): number {
  return compareLsn(parseLsn(a.stopLsn), parseLsn(b.stopLsn));
}
