import { lsnOfSegmentIndex, parseWalFileName, parseWalSegment } from "@soar/pg-tools";

/** Up to where the WAL of a timeline is archived without a hole. */
export interface ContiguousMark {
  readonly timeline: number;
  readonly lsn: bigint;
}

export interface SegmentStates {
  /** Names that are not in the bucket yet. */
  readonly pending: Iterable<string>;
  /** Names that are. */
  readonly archived: Iterable<string>;
}

/**
 * The position before which everything of the newest timeline is archived. Uploads finish out of order, so the newest
 * object says nothing; the oldest missing one does. Undefined while no segment is known at all.
 */
export function contiguousMark({ pending, archived }: SegmentStates, segmentSize: number): ContiguousMark | undefined {
  const [missing, present] = [segmentsOf(pending, segmentSize), segmentsOf(archived, segmentSize)];
  const timeline = Math.max(0, ...missing.keys(), ...present.keys());
  if (timeline === 0) return undefined;
  const firstMissing = minOf(missing.get(timeline));
  const index = firstMissing ?? (maxOf(present.get(timeline)) ?? -1) + 1;
  return { timeline, lsn: lsnOfSegmentIndex(index, segmentSize) };
}

function segmentsOf(names: Iterable<string>, segmentSize: number): Map<number, number[]> {
  const byTimeline = new Map<number, number[]>();
  for (const name of names) {
    if (!/^[0-9A-F]{24}$/.test(name) || parseWalFileName(name).kind !== "segment") continue;
    const { timeline, index } = parseWalSegment(name, segmentSize);
    const known = byTimeline.get(timeline);
    if (known === undefined) byTimeline.set(timeline, [index]);
    else known.push(index);
  }
  return byTimeline;
}

function minOf(values: readonly number[] | undefined): number | undefined {
  return values?.reduce((least, value) => Math.min(least, value));
}

function maxOf(values: readonly number[] | undefined): number | undefined {
  return values?.reduce((most, value) => Math.max(most, value));
}
