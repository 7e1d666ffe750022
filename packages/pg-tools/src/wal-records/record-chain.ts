import type { WalFormat } from "../majors/supported-majors.ts";
import type { WalSegmentHeader } from "./check-wal-segment-header.ts";
import type { RawRecord } from "./raw-record.ts";
import {
  RECORD_HEADER_SIZE,
  RECORD_INFO_OFFSET,
  RECORD_PREV_OFFSET,
  RECORD_RMID_OFFSET,
  RECORD_XID_OFFSET,
} from "./record-header.ts";
import { isResourceManager } from "./record-types.ts";

const UNKNOWN = Number.NaN;

/** Every record names the one before it. Positions are bytes since the first segment's start. */
export class RecordChain {
  readonly #lastResourceManager: number;
  readonly #blockSize: number;
  readonly #baseHigh: number;
  readonly #baseLow: number;
  /** Start of the last valid record: what the next one must name as its predecessor. */
  #previousStart = UNKNOWN;
  #firstPrevious = UNKNOWN;
  /** End of the last valid record; 0 while there is none. */
  validEnd = 0;

  constructor({ startLsn, blockSize }: WalSegmentHeader, { lastResourceManager }: WalFormat) {
    this.#lastResourceManager = lastResourceManager;
    this.#blockSize = blockSize;
    this.#baseHigh = Number(startLsn >> 32n);
    this.#baseLow = Number(startLsn & 0xffff_ffffn);
  }

  /** What speaks against a record header (`ValidXLogRecordHeader`); the prev-link unmasks old records in torn pages. */
  problemOf(header: DataView, at: number, start: number): string | undefined {
    const rmid = header.getUint8(at + RECORD_RMID_OFFSET);
    if (!isResourceManager(rmid, this.#lastResourceManager)) return `the record claims resource manager ${rmid}`;
    const high = header.getUint32(at + RECORD_PREV_OFFSET + 4, true) - this.#baseHigh;
    const previous = high * 2 ** 32 + header.getUint32(at + RECORD_PREV_OFFSET, true) - this.#baseLow;
    const fits = Number.isNaN(this.#previousStart) ? previous < start : previous === this.#previousStart;
    if (fits && Number.isNaN(this.#firstPrevious)) this.#firstPrevious = previous;
    return fits ? undefined : "the record does not follow on the one before";
  }

  /** Start of the record that the first one names as the one before it; undefined while there is none. */
  get firstPrevious(): number | undefined {
    return Number.isNaN(this.#firstPrevious) ? undefined : this.#firstPrevious;
  }

  /** Start of the last valid record; undefined while there is none. */
  get lastStart(): number | undefined {
    return Number.isNaN(this.#previousStart) ? undefined : this.#previousStart;
  }

  /** Fills in what a valid header says, and where the record before ended. */
  describe(record: RawRecord, header: DataView, at: number): void {
    record.rmid = header.getUint8(at + RECORD_RMID_OFFSET);
    record.info = header.getUint8(at + RECORD_INFO_OFFSET);
    record.bodyLength = header.getUint32(at, true) - RECORD_HEADER_SIZE;
    record.xid = header.getUint32(at + RECORD_XID_OFFSET, true);
    record.previousEnd = Number.isNaN(this.#previousStart) ? this.#endBeforeFirst(record.start) : this.validEnd;
  }

  /** Makes a valid record the one that the next must name. */
  append({ start, end }: RawRecord): void {
    this.#previousStart = start;
    this.validEnd = end;
  }

  /** The first record follows on the one that was skipped, or stands right behind a page header: the one before ended with its page. */
  #endBeforeFirst(start: number): number {
    return this.validEnd > 0 ? this.validEnd : start - (start % this.#blockSize);
  }
}
