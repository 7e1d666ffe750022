import { lsnOfSegmentIndex, parseWalSegment } from "@soar/pg-tools";
import { listTailPieces, listTailSegments } from "@soar/repository/tail";
import { findWalObjects, listTimelineSegments } from "@soar/repository/wal";
import type { GapRecord } from "@soar/repository/markers";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { ArchiveStatus } from "../server-wal/archive-status.ts";

/** What the bucket holds of the files that PostgreSQL knows. */
export interface BucketView {
  /** Segments in the bucket, of those in `archive_status`. */
  readonly present: ReadonlySet<string>;
  /** Segments that PostgreSQL was told are archived, and that the bucket does not hold although it holds older ones. */
  readonly missing: readonly string[];
  /** End of the newest tail. */
  readonly tailLsn: bigint | undefined;
  /** Segments that are archived and whose tail is still there, oldest first; no more than `MOST_LEFTOVERS` are looked for. */
  readonly leftoverTails: readonly string[];
}

/** Where nobody may remove tails, there are as many as segments were archived. */
export const MOST_LEFTOVERS = 20;

const SEGMENT = /^[0-9A-F]{24}$/;

/** Reads listings only, from the oldest segment on that `archive_status` knows. */
export async function viewBucket(
  store: ObjectStore,
  { ready, done }: ArchiveStatus,
  options: CallOptions & { readonly segmentSize: number; readonly gaps: readonly GapRecord[] },
): Promise<BucketView> {
  const { segmentSize, gaps, signal } = options;
  const names = [...ready, ...done].filter((name) => SEGMENT.test(name));
  const present = new Set<string>();
  const missing: string[] = [];
  for (const [timeline, known] of byTimeline(names, segmentSize)) {
    const { segments } = await listTimelineSegments(store, timeline, segmentSize, {
      fromIndex: Math.min(...known.values()),
      signal,
    });
    for (const [name, index] of known) if (segments.has(index)) present.add(name);
    // What is older than everything in the bucket was archived elsewhere, before this prefix was chosen.
    const first = Math.min(...segments.keys());
    for (const name of done) {
      const index = known.get(name);
      if (
        index !== undefined &&
        index > first &&
        !segments.has(index) &&
        !gaps.some(({ from, to }) => from <= name && name <= to)
      )
        missing.push(name);
    }
  }
  const settled = newestSettled(names.sort(), ready);
  return {
    present,
    missing,
    tailLsn: await endOfTail(store, settled, { segmentSize, signal }),
    leftoverTails: await findLeftoverTails(store, signal),
  };
}

/** The newest segment that PostgreSQL was answered for; tails of what waits still count, and so does everything where nothing waits. */
function newestSettled(names: readonly string[], ready: readonly string[]): string | undefined {
  const waiting = names.findIndex((name) => ready.includes(name));
  return names[(waiting < 0 ? names.length : waiting) - 1];
}

async function findLeftoverTails(store: ObjectStore, signal: AbortSignal | undefined): Promise<string[]> {
  const leftover: string[] = [];
  for (const name of await listTailSegments(store, { atMost: MOST_LEFTOVERS, signal }))
    if ((await findWalObjects(store, name, { signal })).length > 0) leftover.push(name);
  return leftover;
}

function byTimeline(names: readonly string[], segmentSize: number): Map<number, Map<string, number>> {
  const timelines = new Map<number, Map<string, number>>();
  for (const name of names) {
    const { timeline, index } = parseWalSegment(name, segmentSize);
    timelines.set(timeline, (timelines.get(timeline) ?? new Map<string, number>()).set(name, index));
  }
  return timelines;
}

async function endOfTail(
  store: ObjectStore,
  after: string | undefined,
  { segmentSize, signal }: CallOptions & { readonly segmentSize: number },
): Promise<bigint | undefined> {
  const newest = (await listTailSegments(store, { after, signal })).at(-1);
  if (newest === undefined) return undefined;
  const pieces = await listTailPieces(store, newest, { signal });
  const end = pieces.reduce((most, { to }) => Math.max(most, to), 0);
  return lsnOfSegmentIndex(parseWalSegment(newest, segmentSize).index, segmentSize) + BigInt(end);
}
