import type { Lsn } from "../wal-names/lsn.ts";

/** Where a record stands. */
export interface WalRecordPosition {
  readonly lsn: Lsn;
  /** Where the next record may begin; for a switch record the start of the next segment. */
  readonly endLsn: Lsn;
  /** End of the record before: what `pg_last_wal_replay_lsn()` shows when recovery stops before this record. */
  readonly previousEndLsn: Lsn;
}

/** Commit or abort, also of a prepared transaction: what a recovery target in time or xid is compared with. */
export interface TransactionEnd extends WalRecordPosition {
  readonly kind: "commit" | "abort" | "commit-prepared" | "abort-prepared";
  /** Transaction that ended: for a prepared one its own xid, not that of the record. */
  readonly xid: number;
  /** Microseconds since the Unix epoch. Not in LSN order. */
  readonly time: bigint;
}

export interface TransactionPrepare extends WalRecordPosition {
  readonly kind: "prepare";
  readonly xid: number;
  readonly time: bigint;
  /** Identifier given to PREPARE TRANSACTION. */
  readonly gid: string;
}

export interface RestorePoint extends WalRecordPosition {
  readonly kind: "restore-point";
  readonly name: string;
  readonly time: bigint;
}

/** Settings that a server in recovery must not undercut, as the primary changed them. */
export interface ParameterChange extends WalRecordPosition {
  readonly kind: "parameter-change";
  readonly maxConnections: number;
  readonly maxWorkerProcesses: number;
  readonly maxWalSenders: number;
  readonly maxPreparedTransactions: number;
  readonly maxLocksPerTransaction: number;
  readonly walLevel: "minimal" | "replica" | "logical";
  readonly walLogHints: boolean;
  readonly trackCommitTimestamp: boolean;
}

export interface Checkpoint extends WalRecordPosition {
  readonly kind: "checkpoint";
  readonly shutdown: boolean;
  readonly redoLsn: Lsn;
  /** The next transaction, with its epoch in the upper 32 bits. */
  readonly nextXid: bigint;
  readonly timeline: number;
  /** Differs from `timeline` where the record begins a new one. */
  readonly previousTimeline: number;
  /** Microseconds since the Unix epoch, exact to the second. */
  readonly time: bigint;
}

export interface EndOfRecovery extends WalRecordPosition {
  readonly kind: "end-of-recovery";
  readonly timeline: number;
  readonly previousTimeline: number;
  readonly time: bigint;
}

/** A base backup from a primary is consistent from the end of this record on. */
export interface BackupEnd extends WalRecordPosition {
  readonly kind: "backup-end";
  /** Start LSN of the backup. */
  readonly startLsn: Lsn;
}

/** The rest of the segment is padding. */
export interface SegmentSwitch extends WalRecordPosition {
  readonly kind: "switch";
}

/** Stands where a record was cut off by a crash: that one never happened. */
export interface OverwriteContrecord extends WalRecordPosition {
  readonly kind: "overwrite-contrecord";
  readonly overwrittenLsn: Lsn;
  readonly time: bigint;
}

/** Everything else, reported only on request. */
export interface OtherRecord extends WalRecordPosition {
  readonly kind: "other";
  readonly resourceManager: number;
  readonly info: number;
  readonly xid: number;
}

/** A record that means something for recovery to a point. */
export type WalRecord =
  | TransactionEnd
  | TransactionPrepare
  | RestorePoint
  | ParameterChange
  | Checkpoint
  | EndOfRecovery
  | BackupEnd
  | SegmentSwitch
  | OverwriteContrecord
  | OtherRecord;

/** Whether a record ends a transaction, and so has a time that a recovery target is compared with. */
export function isTransactionEnd(record: WalRecord): record is TransactionEnd {
  return (
    record.kind === "commit" ||
    record.kind === "abort" ||
    record.kind === "commit-prepared" ||
    record.kind === "abort-prepared"
  );
}
