import { hasErrorCode, messageOf } from "@soar/errors";
import {
  formatLsn,
  formatWalSegment,
  isOnLineage,
  type Lsn,
  parseLsn,
  segmentIndexOfLsn,
  timelineOfSegment,
  type TimelineHistory,
} from "@soar/pg-tools";
import { ChangeCollector, ChangedBlocks, type SegmentChanges } from "@soar/pg-tools/changed-blocks";
import { createWalSummarizer } from "@soar/pg-tools/wal-records";
import type { BackupRecord } from "@soar/repository";
import {
  findTimelineHistory,
  findWalObjects,
  listTimelineSegments,
  readWalChanges,
  type StoredWalChanges,
  type WalObject,
} from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";
import type { LocalServer } from "../source/backup-source.ts";

export interface ChangesRequest extends CallOptions {
  readonly base: Pick<BackupRecord, "timeline" | "startLsn" | "stopLsn" | "walSegmentSize">;
  /** Where the backup that is being taken begins: everything before is on the server's disk. */
  readonly startLsn: Lsn;
  readonly startTimeline: number;
  /** The file of a segment on the server's machine, which the bucket may not have yet; undefined when it is not there. */
  readonly openLocal: LocalServer["openWal"];
}

/** What changed since an earlier backup began, or why that is not known. */
export type KnownChanges =
  | { readonly changed: ChangedBlocks; readonly segments: number }
  | { readonly changed: undefined; readonly reason: string };

/** Requests that are under way, each for a few KB, and at most for what stored changes may take. They are decoded one at a time. */
const READS_AT_ONCE = 16;

/**
 * Unites what the WAL changes from the start of an earlier backup up to the start of this one, along the lineage of this one.
 * Nothing is assumed: what is missing, damaged, doubtful or not joined to what comes before is a reason to read everything.
 */
export async function readChanges(store: ObjectStore, request: ChangesRequest): Promise<KnownChanges> {
  const { base, startLsn, startTimeline, signal } = request;
  // A standby that lags, or delays its replay, may begin where the earlier backup had not ended yet: that one has later pages.
  if (parseLsn(base.stopLsn) > startLsn)
    return unknown(`it ended at ${base.stopLsn}, and this one begins at ${formatLsn(startLsn)}, before that`);
  const history = await findTimelineHistory(store, startTimeline, { signal });
  if (history === undefined) return unknown(`the history of timeline ${startTimeline} is not in the bucket`);
  if (!isOnLineage(history, { timeline: base.timeline, lsn: parseLsn(base.stopLsn) }))
    return unknown(`it was taken on timeline ${base.timeline}, which timeline ${startTimeline} left before its end`);
  const first = segmentIndexOfLsn(parseLsn(base.startLsn), base.walSegmentSize);
  const last = segmentIndexOfLsn(startLsn, base.walSegmentSize);
  const segments = segmentsOf(history, first, last, base.walSegmentSize);
  const stored = await listSegments(store, segments, request);
  const changed = new ChangedBlocks();
  const newest = segments.at(-1)?.name;
  const find = async (segment: Segment, stop: AbortSignal): Promise<FoundSegment> => {
    const objects = stored.get(segment.name) ?? [];
    // The server's own word of where it begins: the bucket may have been given another history of it.
    const isOwnFirst = segment.name === newest;
    const found = isOwnFirst ? {} : await unlessDamaged(() => readStored(store, objects, { signal: stop }));
    return { name: segment.name, objects, isOwnFirst, ...found };
  };
  for await (const found of mapOrdered(segments, find, { maxItems: READS_AT_ONCE, signal })) {
    const { name } = found;
    const { value: changes, reason } = await unlessDamaged(() => readSegment(store, found, request));
    if (changes === undefined) return unknown(reason ?? whyNone(found));
    changed.add(changes, name);
    if (changed.doubt !== undefined) return unknown(changed.doubt);
  }
  return { changed, segments: segments.length };
}

interface Segment {
  readonly name: string;
  readonly timeline: number;
}

/** What the bucket has of a segment; `reason` when that is not to be had. */
interface FoundSegment extends Attempt<StoredWalChanges> {
  readonly name: string;
  readonly objects: readonly WalObject[];
  readonly isOwnFirst: boolean;
}

interface Attempt<T> {
  readonly value?: T | undefined;
  readonly reason?: string | undefined;
}

/** A file that was recycled meanwhile, an object that is damaged: a reason to read the cluster, not to fail. */
async function unlessDamaged<T>(read: () => Promise<T | undefined>): Promise<Attempt<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    if (!hasErrorCode(error, "REPOSITORY_DAMAGED", "REPOSITORY_VERSION", "WAL_INVALID", "OBJECT_MISSING")) throw error;
    return { reason: messageOf(error) };
  }
}

function whyNone({ name, objects, reason }: FoundSegment): string {
  const where = objects.length === 0 ? "is not in the bucket" : "does not say what it changes";
  return reason ?? `WAL segment ${name} ${where}`;
}

function segmentsOf(history: TimelineHistory, first: number, last: number, segmentSize: number): Segment[] {
  return Array.from({ length: last - first + 1 }, (_, at) => {
    const index = first + at;
    const timeline = timelineOfSegment(history, index, segmentSize);
    return { name: formatWalSegment({ timeline, index }, segmentSize), timeline };
  });
}

async function listSegments(
  store: ObjectStore,
  segments: readonly Segment[],
  { base, signal }: ChangesRequest,
): Promise<Map<string, readonly WalObject[]>> {
  const found = new Map<string, readonly WalObject[]>();
  const { walSegmentSize: segmentSize } = base;
  for (const timeline of new Set(segments.map((segment) => segment.timeline))) {
    const fromIndex = segmentIndexOfLsn(parseLsn(base.startLsn), segmentSize);
    const listed = await listTimelineSegments(store, timeline, segmentSize, { fromIndex, signal });
    for (const [index, objects] of listed.segments)
      found.set(formatWalSegment({ timeline, index }, segmentSize), objects);
  }
  return found;
}

/** Of one segment after the other: each may take as much memory as a segment can change. Undefined when nobody says. */
async function readSegment(
  store: ObjectStore,
  { name, objects, isOwnFirst, value: stored, reason }: FoundSegment,
  request: ChangesRequest,
): Promise<SegmentChanges | undefined> {
  if (reason !== undefined) return undefined;
  if (stored !== undefined) return stored.decode();
  const own = await readOwn(name, request);
  if (own !== undefined) return own;
  if (!isOwnFirst && objects.length > 0) return undefined;
  // It was archived since the listing, and its file used again.
  const late = objects.length > 0 ? objects : await findWalObjects(store, name, request);
  return (await readStored(store, late, request))?.decode();
}

/** From the server's pg_wal; undefined when it is not there. */
async function readOwn(name: string, { openLocal, startLsn }: ChangesRequest): Promise<SegmentChanges | undefined> {
  const local = await openLocal(name);
  return local && (await collectLocal(name, local, startLsn));
}

async function readStored(
  store: ObjectStore,
  objects: readonly WalObject[],
  options: CallOptions,
): Promise<StoredWalChanges | undefined> {
  for (const object of objects) {
    const changes = await readWalChanges(store, object, options);
    if (changes !== undefined) return changes;
  }
  return undefined;
}

/** The server may still write to the file, behind the start of this backup. */
async function collectLocal(name: string, pieces: AsyncIterable<Buffer>, until: Lsn): Promise<SegmentChanges> {
  const observer = new ChangeCollector({ until });
  const summarizer = createWalSummarizer({ name, observer });
  for await (const piece of pieces) summarizer.push(piece);
  summarizer.finish();
  if (observer.changes === undefined) throw new Error("a segment that was read to its end has changes");
  return observer.changes;
}

function unknown(reason: string): KnownChanges {
  return { changed: undefined, reason };
}
