import {
  formatHistoryFileName,
  formatWalSegment,
  parseWalFileName,
  parseWalSegment,
  timelineOfSegment,
  type TimelineHistory,
} from "@soar/pg-tools";
import { WAL_PREFIX } from "@soar/repository";
import { findWalObjects, parseWalKey } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import type { QueueState } from "../daemon/archive-queue.ts";

/** A segment of the timeline that is streamed. */
export interface TailPlace {
  readonly timeline: number;
  readonly index: number;
}

export interface ArchiveContinuityOptions {
  readonly history: TimelineHistory;
  readonly segmentSize: number;
  /** Whether nothing that comes before a segment waits to be archived, as far as the archiver knows. */
  readonly isArchivedBefore: (place: TailPlace) => boolean;
  readonly signal: AbortSignal;
}

/** From which segment on a tail is worth something: a tail behind a hole in the archive restores nothing. */
export interface ArchiveContinuity {
  /** Newest segment number for which everything before it was found to be in the bucket; undefined when none was. */
  readonly index: number | undefined;
  /** Looks whether everything before this segment is in the bucket. Rejects when the store cannot be asked. */
  look(index: number): Promise<void>;
}

/** While the archiver has nothing to do and the bucket still lacks a segment, nothing changes quickly, and asking costs money. */
const ASK_AGAIN_MS = 5_000;

export function createArchiveContinuity(store: ObjectStore, options: ArchiveContinuityOptions): ArchiveContinuity {
  const { history, isArchivedBefore } = options;
  let continuousBefore: number | undefined;
  let asked = { index: -1, atMs: 0 };
  return {
    get index() {
      return continuousBefore;
    },
    async look(index) {
      if (continuousBefore !== undefined && continuousBefore >= index) return;
      if (!isArchivedBefore({ timeline: history.timeline, index })) return;
      if (asked.index === index && performance.now() - asked.atMs < ASK_AGAIN_MS) return;
      asked = { index, atMs: performance.now() };
      if (await isJoined(store, index, options)) continuousBefore = index;
    },
  };
}

/** For `isArchivedBefore`: nothing that PostgreSQL has finished before this segment waits. */
export function isQueueBeyond(
  { pending }: Pick<QueueState, "pending">,
  { timeline, index }: TailPlace,
  segmentSize: number,
): boolean {
  return pending.every((name) => {
    const file = parseWalFileName(name);
    if (file.kind === "history") return file.timeline > timeline;
    if (file.kind !== "segment") return true;
    const segment = parseWalSegment(name, segmentSize);
    return segment.timeline >= timeline && segment.index >= index;
  });
}

/**
 * The segment before is the last thing that the archiver learns of: between its last byte and its `.ready` there is a
 * moment in which nothing seems to wait. So the bucket itself is asked, for the timeline's history file too.
 */
async function isJoined(
  store: ObjectStore,
  index: number,
  { history, segmentSize, signal }: ArchiveContinuityOptions,
): Promise<boolean> {
  const { timeline } = history;
  if (timeline > 1 && (await findWalObjects(store, formatHistoryFileName(timeline), { signal })).length === 0)
    return false;
  const before = index - 1;
  // The first segment of a new cluster has number 1.
  if (before < 1) return true;
  const name = formatWalSegment(
    { timeline: timelineOfSegment(history, before, segmentSize), index: before },
    segmentSize,
  );
  if ((await findWalObjects(store, name, { signal })).length > 0) return true;
  return beginsHere(store, { before, segmentSize, signal });
}

/** A bucket that has nothing older has no hole: this cluster's archive begins with this segment. */
async function beginsHere(
  store: ObjectStore,
  { before, segmentSize, signal }: { before: number; segmentSize: number; signal: AbortSignal },
): Promise<boolean> {
  for await (const { key, size } of store.list(WAL_PREFIX, { signal })) {
    const object = parseWalKey(key, size);
    // In order of the timelines, and old timelines began first.
    if (object !== undefined && parseWalFileName(object.name).kind === "segment")
      return parseWalSegment(object.name, segmentSize).index > before;
  }
  return true;
}
