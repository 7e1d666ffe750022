import { pgMajorOfWalMagic } from "../majors/find-major.ts";
import type { Lsn } from "../wal-names/lsn.ts";

/** First record data of the page continues a record of the page before. */
export const XLP_FIRST_IS_CONTRECORD = 0x01;
/** The page is the first of a segment and has the longer header. */
export const XLP_LONG_HEADER = 0x02;

export const SHORT_PAGE_HEADER_SIZE = 24;
export const LONG_PAGE_HEADER_SIZE = 40;

/** Header at the start of every page of WAL (`XLogPageHeaderData`). */
export interface WalPageHeader {
  readonly magic: number;
  /** Undefined when no supported version writes this magic. */
  readonly pgMajor: number | undefined;
  readonly flags: number;
  /** Timeline on which the page was first written: older than the file's own in a segment copied at a switch. */
  readonly timeline: number;
  readonly pageAddress: Lsn;
  /** Bytes of the record continued from the page before that are still to come, counted from this page on. */
  readonly remainingLength: number;
  /** What only the first page of a segment tells. */
  readonly long: WalLongPageHeader | undefined;
}

/** The additional fields of a segment's first page (`XLogLongPageHeaderData`). */
export interface WalLongPageHeader {
  readonly systemIdentifier: bigint;
  readonly segmentSize: number;
  readonly blockSize: number;
}

/** Decodes a page header without judging it. At least 40 bytes are needed from `offset` on. */
export function readWalPageHeader(bytes: Uint8Array, offset = 0): WalPageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, LONG_PAGE_HEADER_SIZE);
  const magic = view.getUint16(0, true);
  const flags = view.getUint16(2, true);
  return {
    magic,
    pgMajor: pgMajorOfWalMagic(magic),
    flags,
    timeline: view.getUint32(4, true),
    pageAddress: view.getBigUint64(8, true),
    remainingLength: view.getUint32(16, true),
    long: (flags & XLP_LONG_HEADER) === 0 ? undefined : readLongPart(view),
  };
}

function readLongPart(view: DataView): WalLongPageHeader {
  return {
    systemIdentifier: view.getBigUint64(24, true),
    segmentSize: view.getUint32(32, true),
    blockSize: view.getUint32(36, true),
  };
}
