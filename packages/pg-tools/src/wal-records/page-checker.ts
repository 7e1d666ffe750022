import type { WalFormat } from "../majors/supported-majors.ts";
import { formatLsn, type Lsn } from "../wal-names/lsn.ts";
import type { WalSegmentHeader } from "./check-wal-segment-header.ts";
import type { WalEndCause } from "./wal-end.ts";
import { LONG_PAGE_HEADER_SIZE, SHORT_PAGE_HEADER_SIZE, XLP_LONG_HEADER } from "./wal-page-header.ts";

/** Why a page cannot be the next one. */
export interface PageProblem {
  readonly cause: WalEndCause;
  readonly fact: string;
}

/** Returns the size of a page's header, or why the page cannot stand `position` bytes behind the first segment's start. */
export type CheckPage = (view: DataView, offset: number, position: number) => number | PageProblem;

/** Holds each page against the first one of the log, with the tests of `XLogReaderValidatePageHeader` (xlogreader.c). */
export function createPageChecker(first: WalSegmentHeader, { pageMagic, pageFlags }: WalFormat): CheckPage {
  let timeline = first.pageTimeline;

  function longHeaderSize(view: DataView, offset: number): number | PageProblem {
    const same =
      view.getBigUint64(offset + 24, true) === first.systemIdentifier &&
      view.getUint32(offset + 32, true) === first.segmentSize &&
      view.getUint32(offset + 36, true) === first.blockSize;
    return same ? LONG_PAGE_HEADER_SIZE : { cause: "invalid", fact: "the page is that of another cluster" };
  }

  return (view, offset, position) => {
    const magic = view.getUint16(offset, true);
    if (magic === 0) return { cause: "zeros", fact: "the page is empty" };
    if (magic !== pageMagic) return { cause: "invalid", fact: `the page has the magic number 0x${magic.toString(16)}` };
    const flags = view.getUint16(offset + 2, true);
    const isLong = (flags & XLP_LONG_HEADER) !== 0;
    const beginsSegment = position % first.segmentSize === 0;
    if ((flags & ~pageFlags) !== 0 || (beginsSegment && !isLong))
      return { cause: "invalid", fact: `the page has the flags 0x${flags.toString(16)}` };
    const address = view.getBigUint64(offset + 8, true);
    if (address !== first.startLsn + BigInt(position)) return wrongAddress(address, first.startLsn + BigInt(position));
    const pageTimeline = view.getUint32(offset + 4, true);
    if (pageTimeline < timeline)
      return {
        cause: "invalid",
        fact: `the page was written on timeline ${pageTimeline}, the one before on ${timeline}`,
      };
    timeline = pageTimeline;
    return isLong ? longHeaderSize(view, offset) : SHORT_PAGE_HEADER_SIZE;
  };
}

/** A file that PostgreSQL renamed for reuse still holds pages of the segment that it was, always an older one. */
function wrongAddress(address: Lsn, expected: Lsn): PageProblem {
  return { cause: address < expected ? "recycled" : "invalid", fact: `the page is that of ${formatLsn(address)}` };
}
