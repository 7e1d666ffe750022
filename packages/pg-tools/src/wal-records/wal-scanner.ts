import { SoarError } from "@soar/errors";
import { requireMajor } from "../majors/find-major.ts";
import type { WalFormat } from "../majors/supported-majors.ts";
import type { Lsn } from "../wal-names/lsn.ts";
import { checkWalSegmentHeader, type WalSegmentHeader } from "./check-wal-segment-header.ts";
import { decodeRecord } from "./decode-record.ts";
import { createPageSplitter } from "./page-splitter.ts";
import type { RawRecord } from "./raw-record.ts";
import { RecordReader } from "./record-reader.ts";
import type { WalEnd } from "./wal-end.ts";
import type { WalRecord } from "./wal-record.ts";

export interface WalScannerOptions {
  /** Name of the segment with whose first byte the bytes begin. */
  readonly name: string;
  /** Also yields records of types that are not decoded, as kind `other`. Needed to resolve LSN and immediate targets exactly. */
  readonly everyRecord?: boolean;
}

/**
 * Reads a log from the start of one segment on, in pieces of any size, across any number of segments of one lineage.
 * Memory stays bounded by the largest piece pushed.
 */
export interface WalScanner {
  /**
   * Takes the bytes that follow on those pushed before and returns the records that they complete. Once the end of WAL
   * has been found the rest is ignored. Throws WAL_INVALID or WAL_NAME_INVALID when the first page is not that of the
   * segment named.
   */
  push(bytes: Uint8Array): readonly WalRecord[];
  /** Reads a page that was pushed only in part, as if zeros followed. */
  finish(): readonly WalRecord[];
  /** Header of the first segment; `undefined` until its first 40 bytes were pushed. */
  readonly header: WalSegmentHeader | undefined;
  /** Whether the first segment begins with the rest of a record of the one before, which is skipped. */
  readonly startsInsideRecord: boolean;
  /** Whether the last byte read belongs to a record that is not complete yet. */
  readonly endsInsideRecord: boolean;
  /** Whether that record is, or may be, one that ends a transaction. */
  readonly endsInsideTransactionEnd: boolean;
  /** End of the last valid record; the first segment's start while there is none. */
  readonly validEndLsn: Lsn;
  /** Where and why the log ends; `undefined` as long as everything pushed was valid. */
  readonly end: WalEnd | undefined;
}

/** Begins to read a log. Every record's checksum, predecessor and page is verified as recovery does it. */
export function createWalScanner(options: WalScannerOptions): WalScanner {
  let found: WalRecord[] = [];
  const core = createScannerCore(options.name, (record, { startLsn }, format) => {
    if (record.dataLength < 0 && options.everyRecord !== true) return;
    const lsn = startLsn + BigInt(record.start);
    found.push(
      decodeRecord(
        record,
        { lsn, endLsn: startLsn + BigInt(record.end), previousEndLsn: startLsn + BigInt(record.previousEnd) },
        format,
      ),
    );
  });
  const collect = (read: () => void): readonly WalRecord[] => {
    found = [];
    read();
    return found;
  };
  return {
    push: (bytes) => collect(() => core.push(bytes)),
    finish: () => collect(() => core.finish()),
    get header() {
      return core.header;
    },
    get startsInsideRecord() {
      return core.reader?.startsInsideRecord ?? false;
    },
    get endsInsideRecord() {
      return core.reader?.endsInsideRecord ?? false;
    },
    get endsInsideTransactionEnd() {
      return core.reader?.endsInsideTransactionEnd ?? false;
    },
    get validEndLsn() {
      return requireReader(core).validEndLsn;
    },
    get end() {
      return core.reader?.end;
    },
  };
}

/** What the scanner and the summary share: bytes in, raw records out. */
export interface ScannerCore {
  push(bytes: Uint8Array): void;
  finish(): void;
  readonly header: WalSegmentHeader | undefined;
  readonly reader: RecordReader | undefined;
}

/** Connects pages and records. The record handed to `onRecord` is reused for the next one. */
export function createScannerCore(
  name: string,
  onRecord: (record: RawRecord, header: WalSegmentHeader, format: WalFormat) => void,
): ScannerCore {
  let header: WalSegmentHeader | undefined;
  let reader: RecordReader | undefined;
  const splitter = createPageSplitter(
    (firstBytes) => {
      const first = checkWalSegmentHeader(firstBytes, { name });
      header = first;
      const { wal } = requireMajor(first.pgMajor);
      reader = new RecordReader(first, wal, (record) => onRecord(record, first, wal));
      return first.blockSize;
    },
    (bytes, view, offset) => reader?.readPage(bytes, view, offset),
  );
  return {
    push: (bytes) => splitter.push(bytes),
    finish: () => splitter.finish(),
    get header() {
      return header;
    },
    get reader() {
      return reader;
    },
  };
}

/** The reader of a core that has seen a segment's header. Throws WAL_INVALID when nothing was pushed. */
export function requireReader(core: ScannerCore): RecordReader {
  if (core.reader === undefined)
    throw new SoarError("WAL_INVALID", "unable to read WAL: no segment's first page was given yet");
  return core.reader;
}
