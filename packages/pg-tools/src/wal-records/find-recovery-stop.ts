import type { Lsn } from "../wal-names/lsn.ts";
import { RM_XACT } from "./record-types.ts";
import { isTransactionEnd, type WalRecord } from "./wal-record.ts";

/** Where recovery is asked to end: the `recovery_target_*` settings. `inclusive` is `recovery_target_inclusive`, true by default. */
export type RecoveryTarget =
  /** Microseconds since the Unix epoch. */
  | { readonly type: "time"; readonly time: bigint; readonly inclusive?: boolean }
  | { readonly type: "xid"; readonly xid: number; readonly inclusive?: boolean }
  | { readonly type: "lsn"; readonly lsn: Lsn; readonly inclusive?: boolean }
  | { readonly type: "name"; readonly name: string }
  /**
   * `recovery_target = 'immediate'`: as soon as the backup is consistent, which it is from its stop LSN on. Where that was reached
   * by a record of no transaction, PostgreSQL notices it at the next record only, and not at all when there is none.
   */
  | { readonly type: "immediate"; readonly consistentLsn: Lsn };

export interface RecoveryStop {
  /** Whether the record is replayed (`after`) or the first one that is not (`before`). */
  readonly when: "before" | "after";
  readonly record: WalRecord;
  /** Replay position at the stop: what `pg_last_wal_replay_lsn()` then shows, and where a new timeline begins. */
  readonly lsn: Lsn;
}

/**
 * Finds where PostgreSQL's recovery stops for this target, reading records in LSN order from the backup's start on;
 * `undefined` means that the target is not reached, on which PostgreSQL gives up with "recovery ended before configured
 * recovery target was reached". A stop before the backup's end is no success either: the caller compares `lsn` with it.
 * LSN and immediate targets look at records of every type, so they need a scanner with `everyRecord`.
 */
export function findRecoveryStop(records: Iterable<WalRecord>, target: RecoveryTarget): RecoveryStop | undefined {
  for (const record of records) {
    const stop = recoveryStopAt(record, target);
    if (stop !== undefined) return stop;
  }
  return undefined;
}

/** The rule for one record (`recoveryStopsBefore` and `recoveryStopsAfter` in xlogrecovery.c), for streams that are not iterables. */
export function recoveryStopAt(record: WalRecord, target: RecoveryTarget): RecoveryStop | undefined {
  if (stopsBefore(record, target)) return { when: "before", record, lsn: record.previousEndLsn };
  return stopsAfter(record, target) ? { when: "after", record, lsn: record.endLsn } : undefined;
}

function stopsBefore(record: WalRecord, target: RecoveryTarget): boolean {
  switch (target.type) {
    case "time":
      // Of many transactions with exactly the target's time an inclusive stop takes all, wherever they stand.
      return (
        isTransactionEnd(record) &&
        (target.inclusive === false ? record.time >= target.time : record.time > target.time)
      );
    case "xid":
      // Transactions are numbered as they start, not as they end: only equality tells anything.
      return target.inclusive === false && isTransactionEnd(record) && record.xid === target.xid;
    case "lsn":
      return target.inclusive === false && record.lsn >= target.lsn;
    case "immediate":
      return record.previousEndLsn >= target.consistentLsn;
    case "name":
      return false;
  }
}

function stopsAfter(record: WalRecord, target: RecoveryTarget): boolean {
  switch (target.type) {
    case "xid":
      return target.inclusive !== false && isTransactionEnd(record) && record.xid === target.xid;
    case "lsn":
      return target.inclusive !== false && record.lsn >= target.lsn;
    case "name":
      return record.kind === "restore-point" && record.name === target.name;
    case "immediate":
      return isOfTransaction(record) && record.endLsn >= target.consistentLsn;
    case "time":
      return false;
  }
}

/** `recoveryStopsAfter` passes over all others before it looks whether recovery is consistent. */
function isOfTransaction(record: WalRecord): boolean {
  return (
    isTransactionEnd(record) ||
    record.kind === "prepare" ||
    (record.kind === "other" && record.resourceManager === RM_XACT)
  );
}
