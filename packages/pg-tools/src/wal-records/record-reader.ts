import type { Lsn } from "../wal-names/lsn.ts";
import type { WalSegmentHeader } from "./check-wal-segment-header.ts";
import { CRC32C_START, finishCrc32c, updateCrc32c } from "./crc32c.ts";
import { type CheckPage, createPageChecker } from "./page-checker.ts";
import { PendingRecord } from "./pending-record.ts";
import {
  alignRecord,
  locateMainData,
  RECORD_CRC_OFFSET,
  RECORD_HEADER_SIZE,
  RECORD_INFO_OFFSET,
  RECORD_PREV_OFFSET,
  RECORD_RMID_OFFSET,
  RECORD_XID_OFFSET,
} from "./record-header.ts";
import {
  INFO_TYPE_MASK,
  isDecodedRecord,
  isResourceManager,
  leastDataLength,
  RM_XLOG,
  XLOG_SWITCH,
} from "./record-types.ts";
import type { WalEnd, WalEndCause } from "./wal-end.ts";
import { XLP_FIRST_IS_CONTRECORD, XLP_FIRST_IS_OVERWRITE_CONTRECORD } from "./wal-page-header.ts";

/**
 * One valid record. The same object is handed over every time, because a segment holds a hundred thousand of them.
 * Positions are bytes since the first segment's start: exact as numbers, where LSNs would need bigints.
 */
export interface RawRecord {
  rmid: number;
  info: number;
  xid: number;
  start: number;
  /** Where the next record may begin; behind the padding for a switch record. */
  end: number;
  /** Where the record before ended, which is where replay stands when it stops before this one. */
  previousEnd: number;
  /** Holds the main data of a decoded record. */
  data: DataView;
  dataOffset: number;
  /** -1 when the record is not of a decoded type. */
  dataLength: number;
}

const NO_DATA = new DataView(new ArrayBuffer(0));
const UNKNOWN = Number.NaN;

/** Turns pages into records by the rules of `XLogDecodeNextRecord` (xlogreader.c), and knows where the log ends. */
export class RecordReader {
  readonly first: WalSegmentHeader;
  readonly #checkPage: CheckPage;
  readonly #onRecord: (record: RawRecord) => void;
  readonly #record: RawRecord = {
    rmid: 0,
    info: 0,
    xid: 0,
    start: 0,
    end: 0,
    previousEnd: 0,
    data: NO_DATA,
    dataOffset: 0,
    dataLength: -1,
  };
  readonly #baseHigh: number;
  readonly #baseLow: number;
  /** Position of the page that comes next. */
  #pageStart = 0;
  /** Pages before this position are padding behind a switch record. */
  #resumeAt = 0;
  /** Start of the last valid record: what the next one must name as its predecessor. */
  #previousStart = UNKNOWN;
  #validEnd = 0;
  /** The unfinished record, if there is one: always `#crossing`. */
  #pending: PendingRecord | undefined;
  readonly #crossing = new PendingRecord();
  /** Bytes still to come of a record that began before the first segment. */
  #unseen = 0;
  #end: WalEnd | undefined;
  #startsInsideRecord = false;

  constructor(first: WalSegmentHeader, onRecord: (record: RawRecord) => void) {
    this.first = first;
    this.#checkPage = createPageChecker(first);
    this.#onRecord = onRecord;
    this.#baseHigh = Number(first.startLsn >> 32n);
    this.#baseLow = Number(first.startLsn & 0xffff_ffffn);
  }

  get end(): WalEnd | undefined {
    return this.#end;
  }

  /** End of the last valid record; the first segment's start while there is none. */
  get validEndLsn(): Lsn {
    return this.#lsn(this.#validEnd);
  }

  get startsInsideRecord(): boolean {
    return this.#startsInsideRecord;
  }

  get endsInsideRecord(): boolean {
    return this.#pending !== undefined || this.#unseen > 0;
  }

  /** Whether the incomplete record is, or for all that is known may be, a commit or abort record. */
  get endsInsideTransactionEnd(): boolean {
    return this.#pending?.mayEndTransaction ?? this.#unseen > 0;
  }

  /** Reads the page at `offset`; `view` covers the same memory as `bytes`. */
  readPage(bytes: Uint8Array, view: DataView, offset: number): void {
    if (this.#end !== undefined) return;
    const pageStart = this.#pageStart;
    this.#pageStart += this.first.blockSize;
    if (pageStart < this.#resumeAt) return;
    const headerSize = this.#checkPage(view, offset, pageStart);
    if (typeof headerSize !== "number") return this.#stop(headerSize.cause, headerSize.fact);
    const pageEnd = offset + this.first.blockSize;
    let at = this.#continueRecord(bytes, view, offset, headerSize);
    while (at < pageEnd) at = this.#readRecord(bytes, view, at, pageEnd);
  }

  /** Takes the part of an unfinished record that stands at the top of a page; returns where the first new record begins. */
  #continueRecord(bytes: Uint8Array, view: DataView, offset: number, headerSize: number): number {
    const pageEnd = offset + this.first.blockSize;
    const from = offset + headerSize;
    const flags = view.getUint16(offset + 2, true);
    const remaining = view.getUint32(offset + 16, true);
    if (this.#isFirstPage() && (flags & XLP_FIRST_IS_CONTRECORD) !== 0) {
      this.#startsInsideRecord = true;
      this.#unseen = remaining;
    }
    const missing = this.#pending?.missing ?? this.#unseen;
    if ((flags & XLP_FIRST_IS_OVERWRITE_CONTRECORD) !== 0) {
      // A crash cut the record off; its successor says so, and the cut one counts as never written.
      this.#pending = undefined;
      this.#unseen = 0;
      return from;
    }
    const continues = (flags & XLP_FIRST_IS_CONTRECORD) !== 0;
    if (continues !== missing > 0 || (continues && remaining !== missing)) {
      return this.#stopAt(
        pageEnd,
        "invalid",
        `the page continues a record by ${continues ? remaining : 0} bytes, not by ${missing}`,
      );
    }
    const to = Math.min(from + missing, pageEnd);
    if (this.#pending !== undefined) return this.#feed(this.#pending, bytes, view, from, to, pageEnd);
    this.#unseen -= to - from;
    if (missing > 0 && this.#unseen === 0) this.#validEnd = this.#pageStart - pageEnd + from + alignRecord(to - from);
    return from + alignRecord(to - from);
  }

  #feed(pending: PendingRecord, bytes: Uint8Array, view: DataView, from: number, to: number, pageEnd: number): number {
    const hadHeader = pending.hasHeader;
    pending.take(bytes, view, from, to);
    if (!hadHeader && pending.hasHeader) {
      const fact = this.#headerProblem(pending.header, 0, pending.start);
      if (fact !== undefined) return this.#stopAt(pageEnd, "invalid", fact);
    }
    if (pending.missing > 0) return pageEnd;
    this.#pending = undefined;
    if (!pending.hasRightChecksum()) return this.#stopAt(pageEnd, "invalid", "the record has a wrong checksum");
    const at = from + alignRecord(to - from);
    const body = pending.body();
    this.#describe(pending.header, 0, pending.start);
    this.#record.end = this.#pageStart - pageEnd + at;
    return Math.min(at + this.#accept(body, 0, body.byteLength), pageEnd);
  }

  /** Reads the record at `at`, or its first part; returns where the next one begins. */
  #readRecord(bytes: Uint8Array, view: DataView, at: number, pageEnd: number): number {
    const length = view.getUint32(at, true);
    if (length === 0) return this.#stopAt(pageEnd, "zeros", "no record has been written yet");
    if (length < RECORD_HEADER_SIZE)
      return this.#stopAt(pageEnd, "invalid", `the record claims a length of ${length} bytes`);
    const start = this.#pageStart - pageEnd + at;
    if (at + RECORD_HEADER_SIZE <= pageEnd) {
      const fact = this.#headerProblem(view, at, start);
      if (fact !== undefined) return this.#stopAt(pageEnd, "invalid", fact);
    }
    const to = at + length;
    if (to > pageEnd) {
      this.#pending = this.#crossing;
      this.#pending.begin(start, length);
      this.#pending.take(bytes, view, at, pageEnd);
      return pageEnd;
    }
    const bodyCrc = updateCrc32c(CRC32C_START, bytes, view, at + RECORD_HEADER_SIZE, to);
    const crc = finishCrc32c(updateCrc32c(bodyCrc, bytes, view, at, at + RECORD_CRC_OFFSET));
    if (crc !== view.getUint32(at + RECORD_CRC_OFFSET, true))
      return this.#stopAt(pageEnd, "invalid", "the record has a wrong checksum");
    this.#describe(view, at, start);
    this.#record.end = start + alignRecord(length);
    return Math.min(at + alignRecord(length) + this.#accept(view, at + RECORD_HEADER_SIZE, to), pageEnd);
  }

  /** What speaks against a record header (`ValidXLogRecordHeader`); the prev-link unmasks old records in torn pages. */
  #headerProblem(view: DataView, at: number, start: number): string | undefined {
    const rmid = view.getUint8(at + RECORD_RMID_OFFSET);
    if (!isResourceManager(rmid)) return `the record claims resource manager ${rmid}`;
    const high = view.getUint32(at + RECORD_PREV_OFFSET + 4, true) - this.#baseHigh;
    const previous = high * 2 ** 32 + view.getUint32(at + RECORD_PREV_OFFSET, true) - this.#baseLow;
    const fits = Number.isNaN(this.#previousStart) ? previous < start : previous === this.#previousStart;
    return fits ? undefined : "the record does not follow on the one before";
  }

  #describe(header: DataView, at: number, start: number): void {
    const record = this.#record;
    record.rmid = header.getUint8(at + RECORD_RMID_OFFSET);
    record.info = header.getUint8(at + RECORD_INFO_OFFSET);
    record.xid = header.getUint32(at + RECORD_XID_OFFSET, true);
    record.start = start;
    record.previousEnd = Number.isNaN(this.#previousStart) ? this.#endBeforeFirst(start) : this.#validEnd;
  }

  /** Hands over the record just described, with its body; returns how many bytes behind it are padding. */
  #accept(body: DataView, from: number, to: number): number {
    const record = this.#record;
    const alignedEnd = record.end;
    record.dataLength = -1;
    if (isDecodedRecord(record.rmid, record.info)) {
      const main = locateMainData(body, from, to);
      if (main === undefined || main.length < leastDataLength(record.rmid, record.info)) {
        this.#stop("invalid", "the record does not have the parts that its type should have");
        return Infinity;
      }
      record.data = body;
      record.dataOffset = main.offset;
      record.dataLength = main.length;
      if (record.rmid === RM_XLOG && (record.info & INFO_TYPE_MASK) === XLOG_SWITCH)
        record.end = this.#resumeAt = this.#segmentEnd(alignedEnd);
    }
    this.#previousStart = record.start;
    this.#validEnd = record.end;
    this.#onRecord(record);
    return record.end - alignedEnd;
  }

  /** End of the segment that holds the byte before this position. */
  #segmentEnd(position: number): number {
    return Math.ceil(position / this.first.segmentSize) * this.first.segmentSize;
  }

  /** The first record follows on the one that was skipped, or stands right behind a page header: the one before ended with its page. */
  #endBeforeFirst(start: number): number {
    return this.#validEnd > 0 ? this.#validEnd : start - (start % this.first.blockSize);
  }

  #isFirstPage(): boolean {
    return this.#pageStart === this.first.blockSize;
  }

  #stopAt(pageEnd: number, cause: WalEndCause, fact: string): number {
    this.#stop(cause, fact);
    return pageEnd;
  }

  #stop(cause: WalEndCause, fact: string): void {
    this.#end = { lsn: this.validEndLsn, cause, fact };
    this.#pending = undefined;
    this.#unseen = 0;
  }

  #lsn(position: number): Lsn {
    return this.first.startLsn + BigInt(position);
  }
}
