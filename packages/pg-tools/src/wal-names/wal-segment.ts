import { SoarError } from "@soar/errors";
import type { Lsn } from "./lsn.ts";

/** One WAL segment file of one timeline. */
export interface WalSegment {
  readonly timeline: number;
  /** Position counted in segments since LSN 0/0. Stays exact as a number: at most 2^44 with 1 MiB segments. */
  readonly index: number;
}

/** `initdb --wal-segsize` takes powers of two from 1 to 1024 megabytes (`IsValidWalSegSize` in xlog_internal.h). */
export function isWalSegmentSize(segmentSize: number): boolean {
  return Number.isInteger(Math.log2(segmentSize)) && segmentSize >= 2 ** 20 && segmentSize <= 2 ** 30;
}

/**
 * The middle eight digits of a name count 4 GiB of WAL, so the last eight never reach this number.
 * A segment size that cannot be is a bug of the caller, who has it from a checked header or from the server.
 */
function segmentsPerLogId(segmentSize: number): number {
  if (!isWalSegmentSize(segmentSize)) throw new RangeError(`not a WAL segment size: ${segmentSize}`);
  return 2 ** 32 / segmentSize;
}

/**
 * Reads a 24-digit segment name for a cluster with this segment size in bytes.
 * Throws WAL_NAME_INVALID, also for a name that this segment size cannot have.
 */
export function parseWalSegment(name: string, segmentSize: number): WalSegment {
  const [, timeline, logId, offset] = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name) ?? [];
  const perLogId = segmentsPerLogId(segmentSize);
  if (timeline === undefined || logId === undefined || offset === undefined || timeline === "00000000") {
    throw new SoarError(
      "WAL_NAME_INVALID",
      `unable to read '${name}' as the name of a WAL segment: it is not 24 hexadecimal digits with a timeline in front`,
      {
        hint: "Pass PostgreSQL's %f as the name.",
      },
    );
  }
  const position = parseInt(offset, 16);
  if (position >= perLogId) {
    throw new SoarError(
      "WAL_NAME_INVALID",
      `unable to read '${name}' as the name of a WAL segment: segments of ${segmentSize / 2 ** 20} MiB end at ${toHex8(perLogId - 1)}`,
      {
        hint: "Check the segment size that the server was initialised with (initdb --wal-segsize): SHOW wal_segment_size.",
      },
    );
  }
  return { timeline: parseInt(timeline, 16), index: parseInt(logId, 16) * perLogId + position };
}

/** The 24-digit name of a segment. */
export function formatWalSegment(segment: WalSegment, segmentSize: number): string {
  const perLogId = segmentsPerLogId(segmentSize);
  return toHex8(segment.timeline) + toHex8(Math.floor(segment.index / perLogId)) + toHex8(segment.index % perLogId);
}

/** The segment that follows on the same timeline. */
export function nextWalSegment(segment: WalSegment): WalSegment {
  return { timeline: segment.timeline, index: segment.index + 1 };
}

/** Index of the segment that holds the byte at this LSN. */
export function segmentIndexOfLsn(lsn: Lsn, segmentSize: number): number {
  return Number(lsn / BigInt(segmentSize));
}

/**
 * Index of the segment that holds the byte *before* this LSN (`XLByteToPrevSeg`): the last segment that is needed to
 * reach an end position such as a backup's stop LSN, which on a segment boundary needs nothing of the segment it names.
 */
export function segmentIndexBeforeLsn(lsn: Lsn, segmentSize: number): number {
  return Number((lsn - 1n) / BigInt(segmentSize));
}

/** LSN of the first byte of a segment. */
export function lsnOfSegmentIndex(index: number, segmentSize: number): Lsn {
  return BigInt(index) * BigInt(segmentSize);
}

/** Eight capital hexadecimal digits, as in every WAL file name. */
export function toHex8(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}
