import { formatWalSegment, parseWalSegment } from "@soar/pg-tools";
import type { ExpiredWal } from "../markers/expired-wal.ts";
import type { GapRecord } from "../markers/marker-records.ts";
import type { ChainHole } from "./wal-chain.ts";

/** What the bucket itself says about WAL that is not in it. */
export interface AbsentWal {
  /** Given up on purpose. */
  readonly gaps: readonly GapRecord[];
  readonly expired: readonly ExpiredWal[];
}

/** A stretch of a hole, all of it absent for the same reason. */
export interface HolePart extends Pick<ChainHole, "from" | "to" | "count"> {
  /** `missing`: nobody removed it or gave it up, so it is lost, or was never archived. */
  readonly cause: "missing" | "given-up" | "expired";
  /** The gap that it was given up with. */
  readonly gap: GapRecord | undefined;
}

/**
 * Why the segments of a hole are not there. This is the one rule of what a repository must hold: beginning with its first
 * segment, every backup needs all WAL of every branch that leads from it, but for what was given up and what expiry removed, which
 * are both in records of the bucket; and expiry never removes what makes a kept backup consistent.
 */
export function explainHole(hole: ChainHole, segmentSize: number, { gaps, expired }: AbsentWal): HolePart[] {
  const indexOf = (name: string): number => parseWalSegment(name, segmentSize).index;
  const nameOf = (index: number): string => formatWalSegment({ timeline: hole.timeline, index }, segmentSize);
  const isSameTimeline = ({ from }: { readonly from: string }): boolean => from.slice(0, 8) === hole.from.slice(0, 8);
  const [first, last] = [indexOf(hole.from), indexOf(hole.to)];
  const reasons: Reason[] = [
    ...gaps.filter(isSameTimeline).map((gap) => ({ ...bounds(gap, indexOf), cause: "given-up" as const, gap })),
    ...expired
      .flatMap(({ ranges }) => ranges)
      .filter(isSameTimeline)
      .map((range) => ({ ...bounds(range, indexOf), cause: "expired" as const, gap: undefined })),
  ];
  const parts: HolePart[] = [];
  for (let at = first; at <= last;) {
    const reason = reasons.find(({ from, to }) => from <= at && at <= to);
    const next = reasons.flatMap(({ from }) => (from > at ? [from] : []));
    const end = Math.min(last, reason?.to ?? Math.min(...next, Infinity) - 1);
    parts.push({
      cause: reason?.cause ?? "missing",
      gap: reason?.gap,
      from: nameOf(at),
      to: nameOf(end),
      count: end - at + 1,
    });
    at = end + 1;
  }
  return joinEqual(parts);
}

interface Reason {
  readonly from: number;
  readonly to: number;
  readonly cause: HolePart["cause"];
  readonly gap: GapRecord | undefined;
}

function bounds(
  range: { readonly from: string; readonly to: string },
  indexOf: (name: string) => number,
): Pick<Reason, "from" | "to"> {
  return { from: indexOf(range.from), to: indexOf(range.to) };
}

/** Overlapping records must not tear one stretch into several. */
function joinEqual(parts: readonly HolePart[]): HolePart[] {
  const joined: HolePart[] = [];
  for (const part of parts) {
    const before = joined.at(-1);
    if (before !== undefined && before.cause === part.cause && before.gap === part.gap)
      joined[joined.length - 1] = { ...before, to: part.to, count: before.count + part.count };
    else joined.push(part);
  }
  return joined;
}
