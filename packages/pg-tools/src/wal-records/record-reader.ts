import type { WalFormat } from "../majors/supported-majors.ts";
import type { Lsn } from "../wal-names/lsn.ts";
import type { WalSegmentHeader } from "./check-wal-segment-header.ts";
import { CRC32C_START, finishCrc32c, updateCrc32c } from "./crc32c.ts";
import { type CheckPage, createPageChecker } from "./page-checker.ts";
import { HEAD_SIZE, PendingRecord } from "./pending-record.ts";
import { createRawRecord, type RawRecord } from "./raw-record.ts";
import { RecordChain } from "./record-chain.ts";
import { alignRecord, locateMainData, RECORD_CRC_OFFSET, RECORD_HEADER_SIZE } from "./record-header.ts";
import { INFO_TYPE_MASK, isDecodedRecord, leastDataLength, RM_XLOG, XLOG_SWITCH } from "./record-types.ts";
import type { WalEnd, WalEndCause } from "./wal-end.ts";
import { XLP_FIRST_IS_CONTRECORD } from "./wal-page-header.ts";

/** What joins a log to the one that it follows on. */
export interface RecordLinks {
  /** Start of the record that the first one names as the one before it. */
  readonly firstPrevious: Lsn | undefined;
  /** Start of the last record that is complete. */
  readonly lastStart: Lsn | undefined;
  /** Start of a record that is not complete. */
  readonly cutStart: Lsn | undefined;
}

/** Turns pages into records by the rules of `XLogDecodeNextRecord` (xlogreader.c), and knows where the log ends. */
export class RecordReader {
  readonly first: WalSegmentHeader;
  readonly #checkPage: CheckPage;
  readonly #onRecord: (record: RawRecord) => void;
  readonly #record = createRawRecord();
  readonly #chain: RecordChain;
  readonly #overwriteFlag: number;
  /** Position of the page that comes next. */
  #pageStart = 0;
  /** Pages before this position are padding behind a switch record. */
  #resumeAt = 0;
  /** The unfinished record, if there is one: always `#crossing`. */
  #pending: PendingRecord | undefined;
  readonly #crossing = new PendingRecord();
  /** Bytes still to come of a record that began before the first segment. */
  #unseen = 0;
  #end: WalEnd | undefined;
  #startsInsideRecord = false;
  readonly #continued: Buffer[] = [];
  #continuedSize = 0;

  constructor(first: WalSegmentHeader, format: WalFormat, onRecord: (record: RawRecord) => void) {
    this.first = first;
    this.#checkPage = createPageChecker(first, format);
    this.#chain = new RecordChain(first, format);
    this.#overwriteFlag = format.overwriteContrecordFlag;
    this.#onRecord = onRecord;
  }

  get end(): WalEnd | undefined {
    return this.#end;
  }

  /** End of the last valid record; the first segment's start while there is none. */
  get validEndLsn(): Lsn {
    return this.#lsn(this.#chain.validEnd);
  }

  get startsInsideRecord(): boolean {
    return this.#startsInsideRecord;
  }

  get endsInsideRecord(): boolean {
    return this.#pending !== undefined || this.#unseen > 0;
  }

  /** The first bytes of the rest of a record that began before the first segment, at most as many as its references can take. */
  get continued(): Buffer {
    return Buffer.concat(this.#continued);
  }

  /** The first bytes of the record that is not complete: its header and its references, as far as they have come. */
  get cut(): Buffer {
    return this.#pending?.beginning() ?? Buffer.alloc(0);
  }

  /** Where records begin: each names the one before it. Undefined for what is not there. */
  get links(): RecordLinks {
    const { firstPrevious, lastStart } = this.#chain;
    const lsn = (position: number | undefined): Lsn | undefined =>
      position === undefined ? undefined : this.#lsn(position);
    return { firstPrevious: lsn(firstPrevious), lastStart: lsn(lastStart), cutStart: lsn(this.#pending?.start) };
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
    if ((flags & this.#overwriteFlag) !== 0) {
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
    this.#keepContinued(bytes.subarray(from, to));
    if (missing > 0 && this.#unseen === 0)
      this.#chain.validEnd = this.#pageStart - pageEnd + from + alignRecord(to - from);
    return from + alignRecord(to - from);
  }

  #keepContinued(bytes: Uint8Array): void {
    const kept = bytes.subarray(0, RECORD_HEADER_SIZE + HEAD_SIZE - this.#continuedSize);
    if (kept.length === 0) return;
    this.#continued.push(Buffer.from(kept));
    this.#continuedSize += kept.length;
  }

  #feed(pending: PendingRecord, bytes: Uint8Array, view: DataView, from: number, to: number, pageEnd: number): number {
    const hadHeader = pending.hasHeader;
    pending.take(bytes, view, from, to);
    if (!hadHeader && pending.hasHeader) {
      const fact = this.#chain.problemOf(pending.header, 0, pending.start);
      if (fact !== undefined) return this.#stopAt(pageEnd, "invalid", fact);
    }
    if (pending.missing > 0) return pageEnd;
    this.#pending = undefined;
    if (!pending.hasRightChecksum()) return this.#stopAt(pageEnd, "invalid", "the record has a wrong checksum");
    const at = from + alignRecord(to - from);
    const body = pending.body();
    this.#record.start = pending.start;
    this.#chain.describe(this.#record, pending.header, 0);
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
      const fact = this.#chain.problemOf(view, at, start);
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
    this.#record.start = start;
    this.#chain.describe(this.#record, view, at);
    this.#record.end = start + alignRecord(length);
    return Math.min(at + alignRecord(length) + this.#accept(view, at + RECORD_HEADER_SIZE, to), pageEnd);
  }

  /** Hands over the record just described, with its body; returns how many bytes behind it are padding. */
  #accept(body: DataView, from: number, to: number): number {
    const record = this.#record;
    const alignedEnd = record.end;
    record.body = body;
    record.bodyFrom = from;
    record.bodyTo = to;
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
    this.#chain.append(record);
    this.#onRecord(record);
    return record.end - alignedEnd;
  }

  /** End of the segment that holds the byte before this position. */
  #segmentEnd(position: number): number {
    return Math.ceil(position / this.first.segmentSize) * this.first.segmentSize;
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
