import { SoarError } from "@soar/errors";
import type { Lsn } from "../wal-names/lsn.ts";
import { POSTGRES_EPOCH_MICROSECONDS, textAt } from "./record-fields.ts";
import type { RawRecord } from "./raw-record.ts";
import type { RecordReader } from "./record-reader.ts";
import {
  INFO_TYPE_MASK,
  isTransactionEnd,
  RM_XACT,
  RM_XLOG,
  XACT_ABORT,
  XACT_ABORT_PREPARED,
  XACT_TYPE_MASK,
  XLOG_PARAMETER_CHANGE,
  XLOG_RESTORE_POINT,
} from "./record-types.ts";
import type { WalEnd } from "./wal-end.ts";
import { createScannerCore, requireReader, type ScannerCore } from "./wal-scanner.ts";

/** What one segment can say by itself about points in time: enough to find the segments worth reading for an instant. */
export interface WalSegmentSummary {
  readonly name: string;
  readonly segmentSize: number;
  readonly systemIdentifier: bigint;
  /** Timeline of the name. */
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly pgMajor: number;
  /** Commits that begin and end in this segment, also of prepared transactions. */
  readonly commitCount: number;
  readonly abortCount: number;
  /**
   * Earliest and latest time over those commits and aborts, microseconds since the Unix epoch; `undefined` when there are
   * none. Times are *not* in LSN order, neither within a segment nor between segments.
   */
  readonly earliestTime: bigint | undefined;
  readonly latestTime: bigint | undefined;
  /** Names of the restore points in LSN order. */
  readonly restorePoints: readonly string[];
  /**
   * `max_connections`, `max_worker_processes`, `max_wal_senders`, `max_prepared_transactions`, `max_locks_per_transaction`: the
   * largest that a start of the server recorded here; `undefined` when none changed.
   */
  readonly parameters: readonly number[] | undefined;
  /** The segment begins with the rest of a record of the one before, which is not counted here. */
  readonly startsInsideRecord: boolean;
  /** The last record goes on in the next segment and is counted in neither. */
  readonly endsInsideRecord: boolean;
  /** That record is, or may be, a commit or abort, so that its time is missing above. */
  readonly endsInsideTransactionEnd: boolean;
  /** End of the last complete record; the end of the segment behind a switch record. */
  readonly validEndLsn: Lsn;
  /** Where and why WAL ends within the segment; `undefined` in a segment that is valid to its last byte. */
  readonly end: WalEnd | undefined;
}

/** Looks at the records while they are read, so that a segment is read once. */
export interface RecordObserver {
  /** The record is the same object every time. */
  add(record: RawRecord): void;
  /** Called once, behind the last record. */
  end(reader: RecordReader): void;
}

export interface SummarizeOptions {
  readonly name: string;
  readonly observer?: RecordObserver | undefined;
}

/** Summarises a segment that arrives in pieces, so that 1 GiB segments need not be held. */
export interface WalSummarizer {
  /** Throws WAL_INVALID when these are not the bytes of the segment named, or too many. */
  push(bytes: Uint8Array): void;
  finish(): WalSegmentSummary;
}

/** Summarises a whole segment, also a zero-padded one. Throws WAL_INVALID when the bytes are not those of the segment named. */
export function summarizeWalSegment(bytes: Uint8Array, options: SummarizeOptions): WalSegmentSummary {
  const summarizer = createWalSummarizer(options);
  summarizer.push(bytes);
  return summarizer.finish();
}

/** Begins to summarise the segment of this name. */
export function createWalSummarizer(options: SummarizeOptions): WalSummarizer {
  const counts = new TransactionCounts();
  const core = createScannerCore(options.name, (record) => {
    counts.add(record);
    options.observer?.add(record);
  });
  let received = 0;
  return {
    push(bytes) {
      received += bytes.length;
      core.push(bytes);
      requireOneSegment(core, options.name, received);
    },
    finish() {
      core.finish();
      const reader = requireReader(core);
      options.observer?.end(reader);
      return summaryOf(reader, counts);
    },
  };
}

function requireOneSegment(core: ScannerCore, name: string, received: number): void {
  if (core.header === undefined || received <= core.header.segmentSize) return;
  throw new SoarError(
    "WAL_INVALID",
    `unable to accept '${name}' as a WAL segment: there are more than its ${core.header.segmentSize} bytes`,
  );
}

function summaryOf(reader: RecordReader, counts: TransactionCounts): WalSegmentSummary {
  const { name, segmentSize, systemIdentifier, timeline, startLsn, pgMajor } = reader.first;
  return {
    name,
    segmentSize,
    systemIdentifier,
    timeline,
    startLsn,
    pgMajor,
    commitCount: counts.commits,
    abortCount: counts.aborts,
    earliestTime: counts.earliest,
    latestTime: counts.latest,
    restorePoints: counts.restorePoints,
    parameters: counts.parameters,
    startsInsideRecord: reader.startsInsideRecord,
    endsInsideRecord: reader.endsInsideRecord,
    endsInsideTransactionEnd: reader.endsInsideTransactionEnd,
    validEndLsn: reader.validEndLsn,
    end: reader.end,
  };
}

/**
 * Counts without making an object of any record. Times are kept as numbers, exact for microseconds until the year 2285:
 * a busy segment has a hundred thousand of them.
 */
class TransactionCounts {
  commits = 0;
  aborts = 0;
  readonly restorePoints: string[] = [];
  parameters: readonly number[] | undefined;
  #earliest = Infinity;
  #latest = -Infinity;

  get earliest(): bigint | undefined {
    return this.#earliest === Infinity ? undefined : BigInt(this.#earliest) + POSTGRES_EPOCH_MICROSECONDS;
  }

  get latest(): bigint | undefined {
    return this.#latest === -Infinity ? undefined : BigInt(this.#latest) + POSTGRES_EPOCH_MICROSECONDS;
  }

  add({ rmid, info, data, dataOffset, dataLength }: RawRecord): void {
    if (dataLength < 0) return;
    if (rmid === RM_XACT && isTransactionEnd(rmid, info)) {
      const type = info & XACT_TYPE_MASK;
      if (type === XACT_ABORT || type === XACT_ABORT_PREPARED) this.aborts++;
      else this.commits++;
      const time = data.getInt32(dataOffset + 4, true) * 2 ** 32 + data.getUint32(dataOffset, true);
      if (time < this.#earliest) this.#earliest = time;
      if (time > this.#latest) this.#latest = time;
    } else if (rmid === RM_XLOG && (info & INFO_TYPE_MASK) === XLOG_RESTORE_POINT) {
      this.restorePoints.push(textAt(data, dataOffset + 8, 64));
    } else if (rmid === RM_XLOG && (info & INFO_TYPE_MASK) === XLOG_PARAMETER_CHANGE) {
      const values = [0, 4, 8, 12, 16].map((offset) => data.getInt32(dataOffset + offset, true));
      this.parameters = values.map((value, index) => Math.max(value, this.parameters?.[index] ?? 0));
    }
  }
}
