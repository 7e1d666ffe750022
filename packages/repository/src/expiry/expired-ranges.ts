import { formatWalSegment, parseWalFileName, parseWalSegment } from "@soar/pg-tools";
import type { ExpiredWal } from "../markers/expired-wal.ts";
import type { ExpiryPlan } from "./expiry-plan.ts";
import type { ExpiryState } from "./expiry-state.ts";

/** Segment numbers of one timeline, both included. */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** The segments of one timeline: which stay, and stretches of which some went. */
interface TimelineRemains {
  readonly staying: number[];
  readonly gone: Stretch[];
}

/**
 * What will be absent on purpose once the plan is carried out: what it removes, and what earlier expiries did, without
 * anything that stays. Where nothing between two removed segments stays, what lies between them belongs to the stretch, whether
 * it was there or not: without its neighbours nobody could use it.
 */
export function expiredRanges(
  { wal, segmentSize }: Pick<ExpiryState, "wal" | "segmentSize">,
  { removeWal }: Pick<ExpiryPlan, "removeWal">,
  earlier: readonly ExpiredWal[],
): ExpiredWal["ranges"] {
  const removed = new Set(removeWal.map(({ name }) => name));
  const timelines = new Map<number, TimelineRemains>();
  const remainsOf = (timeline: number): TimelineRemains => {
    const remains = timelines.get(timeline) ?? { staying: [], gone: [] };
    timelines.set(timeline, remains);
    return remains;
  };
  for (const { name } of wal) {
    if (parseWalFileName(name).kind !== "segment") continue;
    const { timeline, index } = parseWalSegment(name, segmentSize);
    if (removed.has(name)) remainsOf(timeline).gone.push({ from: index, to: index });
    else remainsOf(timeline).staying.push(index);
  }
  for (const { from, to } of earlier.flatMap(({ ranges }) => ranges)) {
    const { timeline, index } = parseWalSegment(from, segmentSize);
    remainsOf(timeline).gone.push({ from: index, to: parseWalSegment(to, segmentSize).index });
  }
  return [...timelines].flatMap(([timeline, remains]) =>
    absentStretches(remains).map(({ from, to }) => ({
      from: formatWalSegment({ timeline, index: from }, segmentSize),
      to: formatWalSegment({ timeline, index: to }, segmentSize),
    })),
  );
}

/** The spaces between staying segments in which something went; before the first and after the last one, as far as it went. */
function absentStretches({ staying, gone }: TimelineRemains): Stretch[] {
  const stops = staying.toSorted((a, b) => a - b);
  const spaces = new Map<number, Stretch>();
  for (const stretch of gone) {
    for (const part of without(stretch, stops)) {
      const next = firstFrom(stops, part.from);
      const known = spaces.get(next) ?? part;
      spaces.set(next, { from: Math.min(known.from, part.from), to: Math.max(known.to, part.to) });
    }
  }
  return [...spaces]
    .sort(([a], [b]) => a - b)
    .map(([next, { from, to }]) => ({ from: (stops[next - 1] ?? from - 1) + 1, to: (stops[next] ?? to + 1) - 1 }));
}

/** A stretch without what stays of it. */
function* without({ from, to }: Stretch, stops: readonly number[]): Generator<Stretch> {
  let start = from;
  for (let next = firstFrom(stops, from); start <= to; next += 1) {
    const end = Math.min(to, (stops[next] ?? Infinity) - 1);
    if (start <= end) yield { from: start, to: end };
    start = end + 2;
  }
}

/** Where in the ascending `stops` the first one stands that is not below `index`. */
function firstFrom(stops: readonly number[], index: number): number {
  let [low, high] = [0, stops.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const stop = stops[middle];
    if (stop !== undefined && stop < index) low = middle + 1;
    else high = middle;
  }
  return low;
}
