import { SoarError } from "@soar/errors";
import { findMajor, SUPPORTED_VERSIONS } from "../majors/find-major.ts";
import type { SupportedMajor } from "../majors/supported-majors.ts";
import { formatLsn, type Lsn } from "../wal-names/lsn.ts";
import { parseWalFileName } from "../wal-names/wal-file-name.ts";
import { isWalSegmentSize, lsnOfSegmentIndex, parseWalSegment } from "../wal-names/wal-segment.ts";
import {
  LONG_PAGE_HEADER_SIZE,
  readWalPageHeader,
  type WalLongPageHeader,
  type WalPageHeader,
} from "./wal-page-header.ts";

/** What the first page of a segment says about the segment, checked against its name. */
export interface WalSegmentHeader {
  readonly name: string;
  readonly systemIdentifier: bigint;
  readonly segmentSize: number;
  /** Size of a WAL page in bytes, 8192 unless PostgreSQL was compiled otherwise. */
  readonly blockSize: number;
  /** Timeline of the name. */
  readonly timeline: number;
  /** Timeline that wrote the first page: an older one in the first segment after a switch. */
  readonly pageTimeline: number;
  readonly startLsn: Lsn;
  readonly pgMajor: number;
}

export interface CheckWalSegmentHeaderOptions {
  /** Name of the segment, or of a `.partial` one. */
  readonly name: string;
  /** Size of the whole file in bytes, where it is known: must be exactly one segment. */
  readonly fileSize?: number | undefined;
}

/**
 * Checks that the first bytes of a file (40 suffice) are those of the WAL segment that its name promises.
 * Throws WAL_INVALID for an empty, half-written or zeroed file, another address, a younger timeline, a version that is
 * not supported or a wrong size, and WAL_NAME_INVALID for a name that is not a segment's. Whether the system identifier
 * and the version are the *expected* ones is the caller's question.
 */
export function checkWalSegmentHeader(firstBytes: Uint8Array, options: CheckWalSegmentHeaderOptions): WalSegmentHeader {
  const { name, fileSize } = options;
  const segmentName = segmentNameOf(name);
  requireHeaderBytes(firstBytes, name);
  const header = readWalPageHeader(firstBytes);
  const { major, wal } = requireSupported(header, name);
  const long = requireLongHeader(header, wal.pageFlags, name);
  if (fileSize !== undefined && fileSize !== long.segmentSize) throw wrongSize(name, fileSize, long.segmentSize);
  const { timeline, index } = parseWalSegment(segmentName, long.segmentSize);
  const startLsn = lsnOfSegmentIndex(index, long.segmentSize);
  if (header.pageAddress !== startLsn) {
    throw invalid(
      name,
      `its first page is that of ${formatLsn(header.pageAddress)}, not of ${formatLsn(startLsn)}`,
      RECYCLED_HINT,
    );
  }
  // A segment copied at a timeline switch begins with pages of the parent, never with those of a descendant.
  if (header.timeline === 0 || header.timeline > timeline) {
    throw invalid(name, `its first page was written on timeline ${header.timeline}`, RECYCLED_HINT);
  }
  return { name, ...long, timeline, pageTimeline: header.timeline, startLsn, pgMajor: major };
}

const RECYCLED_HINT =
  "Either the file was renamed or it is a recycled one that PostgreSQL has not filled yet. Only segments with a .ready file in archive_status are complete.";
const HALF_WRITTEN_HINT =
  "The file was not written completely. If it comes from a copy, copy it again from pg_wal of the server.";

function segmentNameOf(name: string): string {
  const parsed = parseWalFileName(name);
  if (parsed.kind === "segment" || parsed.kind === "partial") return parsed.segmentName;
  throw new SoarError("WAL_NAME_INVALID", `unable to check '${name}' as a WAL segment: it is not the name of one`);
}

function requireHeaderBytes(firstBytes: Uint8Array, name: string): void {
  if (firstBytes.length === 0) throw invalid(name, "the file is empty", HALF_WRITTEN_HINT);
  if (firstBytes.length < LONG_PAGE_HEADER_SIZE)
    throw invalid(name, `the file ends after ${firstBytes.length} bytes, within its first page`, HALF_WRITTEN_HINT);
  if (firstBytes.subarray(0, LONG_PAGE_HEADER_SIZE).every((byte) => byte === 0))
    throw invalid(name, "the file begins with zeros", HALF_WRITTEN_HINT);
}

function requireSupported(header: WalPageHeader, name: string): SupportedMajor {
  const found = header.pgMajor === undefined ? undefined : findMajor(header.pgMajor);
  if (found !== undefined) return found;
  throw invalid(
    name,
    `its first page has the magic number 0x${header.magic.toString(16).toUpperCase().padStart(4, "0")}, which PostgreSQL ${SUPPORTED_VERSIONS} do not write`,
    "Either the file is not WAL, or it was written by another major version or on a big-endian machine, which are not supported.",
  );
}

function requireLongHeader({ long, flags }: WalPageHeader, pageFlags: number, name: string): WalLongPageHeader {
  if (long === undefined || (flags & ~pageFlags) !== 0)
    throw invalid(name, "its first page does not have the header of a segment's beginning", RECYCLED_HINT);
  if (!isWalSegmentSize(long.segmentSize))
    throw invalid(name, `its first page claims a segment size of ${long.segmentSize} bytes`, RECYCLED_HINT);
  if (!isWalBlockSize(long.blockSize))
    throw invalid(name, `its first page claims a block size of ${long.blockSize} bytes`, RECYCLED_HINT);
  return long;
}

/** `configure --with-wal-blocksize` takes powers of two from 1 to 64 kilobytes. */
function isWalBlockSize(blockSize: number): boolean {
  return Number.isInteger(Math.log2(blockSize)) && blockSize >= 1024 && blockSize <= 65536;
}

function wrongSize(name: string, fileSize: number, segmentSize: number): SoarError {
  return invalid(name, `the file has ${fileSize} bytes, but its segments have ${segmentSize}`, HALF_WRITTEN_HINT);
}

function invalid(name: string, fact: string, hint: string): SoarError {
  return new SoarError("WAL_INVALID", `unable to accept '${name}' as a WAL segment: ${fact}`, { hint });
}
