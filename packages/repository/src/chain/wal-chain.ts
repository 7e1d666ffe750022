import {
  formatWalSegment,
  lsnOfSegmentIndex,
  segmentIndexOfLsn,
  switchLsnOf,
  timelineOfLsn,
  timelineOfSegment,
  type Lsn,
  type TimelineHistory,
} from "@soar/pg-tools";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { listTimelineSegments, type TimelineSegments } from "../wal/wal-inventory.ts";
import type { WalObject } from "../wal/wal-key.ts";

/** One segment that recovery along a lineage may be given: exactly one timeline's, from exactly this object. */
export interface ChainSegment {
  readonly index: number;
  readonly timeline: number;
  /** The name that PostgreSQL asks for. */
  readonly name: string;
  readonly object: WalObject;
  /**
   * Set when the object is another timeline's copy of this segment, which holds the same bytes only up to this LSN: behind
   * it the reader is given zeros, as in the segment that PostgreSQL itself begins a timeline with.
   */
  readonly cutLsn: Lsn | undefined;
  /** Set when the segment was never finished: what was shipped of it, frozen when the chain was read. */
  readonly tail?: FrozenTail | undefined;
}

/** The first `size` bytes of a segment, named by their digest: whatever is shipped or archived later, these are meant. */
export interface FrozenTail {
  readonly size: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** Segments that the lineage needs and the bucket does not hold, although it holds later ones. */
export interface ChainHole {
  readonly timeline: number;
  /** Names of the first and the last missing segment, both included. */
  readonly from: string;
  readonly to: string;
  readonly count: number;
}

/**
 * The WAL that leads from a segment along one lineage to the end of the archive. Recovery can use `segments` only;
 * everything behind the first hole is unreachable and listed for the message.
 */
export interface WalChain {
  readonly history: TimelineHistory;
  readonly segmentSize: number;
  /** Without a hole, ascending. */
  readonly segments: readonly ChainSegment[];
  /** First segment number that is not there. */
  readonly endIndex: number;
  readonly holes: readonly ChainHole[];
  /** Last segment of the lineage that is in the bucket, behind holes too; undefined when there is none at all. */
  readonly lastIndex: number | undefined;
}

export interface ReadChainOptions extends CallOptions {
  /** Segments that lie on this machine, by timeline. The bucket's own are used in preference. */
  readonly local?: ReadonlyMap<number, TimelineSegments> | undefined;
}

/**
 * Reads from the bucket's listing how far recovery can get from segment `fromIndex` along the lineage of `history`.
 * A parent timeline's segment is taken only where the lineage gives the segment number to the parent: segments that
 * an abandoned branch archived beyond its switch point are never part of a chain (safety, trap 30).
 */
export async function readWalChain(
  store: ObjectStore,
  history: TimelineHistory,
  segmentSize: number,
  fromIndex: number,
  { local, ...options }: ReadChainOptions = {},
): Promise<WalChain> {
  const inventories = new Map<number, TimelineSegments>();
  for (const timeline of [...history.entries.map((entry) => entry.timeline), history.timeline]) {
    const switchLsn = switchLsnOf(history, timeline);
    const left = switchLsn !== undefined && segmentIndexOfLsn(switchLsn, segmentSize) < fromIndex;
    if (!left)
      inventories.set(
        timeline,
        withLocal(
          await listTimelineSegments(store, timeline, segmentSize, { ...options, fromIndex }),
          local?.get(timeline),
        ),
      );
  }
  return assembleChain(history, segmentSize, fromIndex, inventories);
}

function withLocal(stored: TimelineSegments, local: TimelineSegments | undefined): TimelineSegments {
  return local === undefined ? stored : { ...stored, segments: new Map([...local.segments, ...stored.segments]) };
}

/** The pure half of `readWalChain`. */
export function assembleChain(
  history: TimelineHistory,
  segmentSize: number,
  fromIndex: number,
  inventories: ReadonlyMap<number, TimelineSegments>,
): WalChain {
  const own = [...presentOnLineage(history, segmentSize, fromIndex, inventories)];
  const present = [...own, ...substitutes(history, segmentSize, fromIndex, inventories)].sort(
    (a, b) => a.index - b.index,
  );
  const holes: ChainHole[] = [];
  let expected = fromIndex;
  let reachable = 0;
  for (const { index } of present) {
    if (index > expected) holes.push(...describeHole(history, segmentSize, expected, index - 1));
    else if (holes.length === 0) reachable += 1;
    expected = index + 1;
  }
  return {
    history,
    segmentSize,
    segments: present.slice(0, reachable),
    endIndex: fromIndex + reachable,
    holes,
    lastIndex: present.at(-1)?.index,
  };
}

function* presentOnLineage(
  history: TimelineHistory,
  segmentSize: number,
  fromIndex: number,
  inventories: ReadonlyMap<number, TimelineSegments>,
): Generator<ChainSegment> {
  for (const { timeline, segments } of inventories.values()) {
    for (const [index, [object]] of segments) {
      const onLineage = index >= fromIndex && timelineOfSegment(history, index, segmentSize) === timeline;
      if (onLineage && object !== undefined) yield { index, timeline, name: object.name, object, cutLsn: undefined };
    }
  }
}

/**
 * A segment in which a timeline was left exists twice: the parent's own, and the child's, which begins with a copy of it.
 * Up to the switch point their bytes are equal, so that one can stand in for the other where only one was archived: the
 * child's when its server was lost before the segment was full, the parent's when the old server never finished it.
 */
function* substitutes(
  history: TimelineHistory,
  segmentSize: number,
  fromIndex: number,
  inventories: ReadonlyMap<number, TimelineSegments>,
): Generator<ChainSegment> {
  for (const { switchLsn } of history.entries) {
    const index = segmentIndexOfLsn(switchLsn, segmentSize);
    const wanted = timelineOfSegment(history, index, segmentSize);
    const before = timelineOfLsn(history, switchLsn - 1n);
    const isOwner = timelineOfLsn(history, switchLsn) === wanted && switchLsn > lsnOfSegmentIndex(index, segmentSize);
    if (index < fromIndex || !isOwner || inventories.get(wanted)?.segments.has(index) === true) continue;
    // Only where the lineage ends: a child's later segment shows that its first one was archived, and is missing.
    if ([...(inventories.get(wanted)?.segments.keys() ?? [])].some((other) => other > index)) continue;
    const [object] = inventories.get(before)?.segments.get(index) ?? [];
    if (object !== undefined)
      yield {
        index,
        timeline: wanted,
        name: formatWalSegment({ timeline: wanted, index }, segmentSize),
        object,
        cutLsn: switchLsn,
      };
  }
}

/** One hole per timeline that it reaches into. By arithmetic, because one stray name can open a hole of 2^40 segments. */
function describeHole(history: TimelineHistory, segmentSize: number, from: number, to: number): ChainHole[] {
  const holes: ChainHole[] = [];
  for (let start = from; start <= to;) {
    const timeline = timelineOfSegment(history, start, segmentSize);
    const switchLsn = switchLsnOf(history, timeline);
    const end = Math.min(to, switchLsn === undefined ? to : segmentIndexOfLsn(switchLsn, segmentSize) - 1);
    holes.push({
      timeline,
      from: formatWalSegment({ timeline, index: start }, segmentSize),
      to: formatWalSegment({ timeline, index: end }, segmentSize),
      count: end - start + 1,
    });
    start = end + 1;
  }
  return holes;
}
