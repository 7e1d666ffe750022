import { SoarError } from "@soar/errors";
import {
  formatLsn,
  formatWalSegment,
  parseWalSegment,
  segmentIndexOfLsn,
  switchLsnOf,
  timelineOfLsn,
  type TimelineHistory,
} from "@soar/pg-tools";
import type { BackupRecord } from "@soar/repository";
import { appendTail, type WalChain } from "@soar/repository/chain";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readChainWithLocal } from "../local-wal/local-chain.ts";
import type { LocalWal } from "../local-wal/read-local-wal.ts";
import { endChain } from "./end-chain.ts";
import type { ResolvedTarget } from "./resolve-target.ts";

export interface ReadLineageOptions extends CallOptions {
  readonly record: BackupRecord;
  readonly local: LocalWal;
}

/** The WAL of a lineage from the backup's first segment on: from the bucket, this machine and the tail. */
export async function readLineageChain(
  store: ObjectStore,
  history: TimelineHistory,
  { record, local, signal }: ReadLineageOptions,
): Promise<WalChain> {
  const { walSegmentSize: segmentSize, firstSegment } = record;
  const start = { history, segmentSize, fromIndex: parseWalSegment(firstSegment, segmentSize).index };
  return appendTail(store, await readChainWithLocal(store, start, local, { signal }), { signal });
}

/**
 * The timeline to name to PostgreSQL is the one that the stop lies on, not a descendant: it would write a history in which
 * the descendant ends before it began, and a later restore along that history would take the wrong WAL.
 */
export async function cutToOwner(
  store: ObjectStore,
  chain: WalChain,
  { stopLsn, setting }: ResolvedTarget,
  read: ReadLineageOptions,
): Promise<WalChain> {
  const timeline = timelineOfLsn(chain.history, stopLsn);
  if (timeline === chain.history.timeline) return chain;
  const entries = chain.history.entries.filter((entry) => entry.timeline < timeline);
  const own = await readLineageChain(store, { timeline, entries }, read);
  const needed = segmentIndexOfLsn(stopLsn, chain.segmentSize);
  // PostgreSQL stops at its target; without one it would go on along the branch that was left (safety, trap 30).
  if (own.endIndex > needed) return setting === undefined ? endChain(own, stopLsn) : own;
  // The old server never archived the segment in which it was left: the child's copy holds the same up to the switch.
  const copy = chain.segments.find(({ index }) => index === needed);
  const switchLsn = switchLsnOf(chain.history, timeline);
  if (own.endIndex < needed || copy === undefined || switchLsn === undefined) {
    throw new SoarError(
      "WAL_MISSING",
      `the target cannot be reached: WAL of timeline ${timeline} is missing before ${formatLsn(stopLsn)}`,
      { hint: "Run soar-backup-verify: it names what is missing." },
    );
  }
  const name = formatWalSegment({ timeline, index: needed }, chain.segmentSize);
  return {
    ...own,
    segments: [...own.segments, { ...copy, timeline, name, cutLsn: switchLsn }],
    endIndex: needed + 1,
    lastIndex: needed,
  };
}
