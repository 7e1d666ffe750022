import type { Lsn } from "../wal-names/lsn.ts";
import { segmentIndexOfLsn } from "../wal-names/wal-segment.ts";
import type { TimelineHistory } from "./timeline-history.ts";

/** One timeline's part of a lineage. */
export interface TimelineSpan {
  readonly timeline: number;
  /** First LSN of this timeline on the way to the lineage's last one; 0 for the oldest. */
  readonly startLsn: Lsn;
  /** First LSN that belongs to the next timeline; `undefined` for the last one, which goes on. */
  readonly endLsn: Lsn | undefined;
}

/** Cuts the log that leads to a timeline into the parts that each of its ancestors contributed, oldest first. */
export function timelineSpans(history: TimelineHistory): readonly TimelineSpan[] {
  const ends: readonly { timeline: number; switchLsn: Lsn | undefined }[] = [
    ...history.entries,
    { timeline: history.timeline, switchLsn: undefined },
  ];
  return ends.map(({ timeline, switchLsn }, i) => ({
    timeline,
    startLsn: history.entries[i - 1]?.switchLsn ?? 0n,
    endLsn: switchLsn,
  }));
}

/** The timeline to which the byte at this LSN belongs on the way to `history.timeline` (`tliOfPointInHistory`). */
export function timelineOfLsn(history: TimelineHistory, lsn: Lsn): number {
  return history.entries.find((entry) => lsn < entry.switchLsn)?.timeline ?? history.timeline;
}

/**
 * The one timeline whose file recovery to `history.timeline` must be given for this segment number: the youngest that
 * has begun by the end of the segment. A segment with a switch point in it exists on both sides, and the younger
 * timeline's copy holds the older one's bytes up to the switch point (`XLogFileReadAnyTLI` tries it first too).
 */
export function timelineOfSegment(history: TimelineHistory, index: number, segmentSize: number): number {
  return (
    history.entries.find((entry) => index < segmentIndexOfLsn(entry.switchLsn, segmentSize))?.timeline ??
    history.timeline
  );
}

/** Where this timeline ends on the way to `history.timeline`; `undefined` when it does not end or is not on the way. */
export function switchLsnOf(history: TimelineHistory, timeline: number): Lsn | undefined {
  return history.entries.find((entry) => entry.timeline === timeline)?.switchLsn;
}

/**
 * Whether a state that has replayed timeline `timeline` up to `lsn` (exclusive) can go on to `history.timeline`. False
 * when the timeline is no ancestor, or had already been left before that LSN: PostgreSQL then refuses to start with
 * "requested timeline is not a child of this server's history".
 */
export function isOnLineage(
  history: TimelineHistory,
  point: { readonly timeline: number; readonly lsn: Lsn },
): boolean {
  const span = timelineSpans(history).find(({ timeline }) => timeline === point.timeline);
  return span !== undefined && span.startLsn <= point.lsn && (span.endLsn === undefined || point.lsn <= span.endLsn);
}
