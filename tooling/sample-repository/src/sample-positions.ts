import { formatLsn, lsnOfSegmentIndex } from "@soar/pg-tools";
import { segmentName, SEGMENT_SIZE } from "./sample-wal.ts";

/** Where a sample backup begins and where it is consistent. */
export interface Positions {
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly firstSegment: string;
  readonly lastSegment: string;
}

/** Of a backup that begins in this segment and is consistent in the next one. */
export function positionsOf(first: number, timeline = 1): Positions {
  const lsn = (index: number) => formatLsn(lsnOfSegmentIndex(index, SEGMENT_SIZE) + 0x28n);
  return {
    timeline,
    startLsn: lsn(first),
    stopLsn: lsn(first + 1),
    firstSegment: segmentName(first, timeline),
    lastSegment: segmentName(first + 1, timeline),
  };
}
