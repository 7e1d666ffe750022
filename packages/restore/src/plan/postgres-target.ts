import { parseLsn } from "@soar/pg-tools";
import {
  recoveryStopAt,
  type RecoveryStop,
  type RecoveryTarget as PostgresTarget,
  type WalRecord,
} from "@soar/pg-tools/wal-records";
import type { BackupRecord } from "@soar/repository";
import { xidInRecords } from "./full-xid.ts";
import type { RestoreTarget } from "./restore-target.ts";

/** Targets that end recovery before the WAL does. */
export type StoppingTarget = Exclude<RestoreTarget, { kind: "latest" }>;

export interface PlannedStop extends RecoveryStop {
  /** How PostgreSQL is told to stop there. */
  readonly setting: PostgresTarget;
}

/** Whether recovery of this backup ends at this record. Records come in LSN order from the backup's start on. */
export function plannedStopAt(
  record: WalRecord,
  target: StoppingTarget,
  backup: BackupRecord,
): PlannedStop | undefined {
  // Recovery begins behind a shutdown checkpoint, not with it, and so never compares that record with a target.
  if (backup.startLsn === backup.checkpointLsn && record.lsn === parseLsn(backup.checkpointLsn)) return undefined;
  if (target.kind === "immediate") return consistentAt(record, backup);
  const setting = postgresTarget(target);
  const stop = recoveryStopAt(record, setting);
  return stop && { ...stop, setting };
}

/**
 * Named by its LSN: PostgreSQL's own `immediate` needs one more record behind the backup's end, which there need not be, and
 * counts a standby's backup as consistent from what its pg_control says, which may be a little before its stop LSN.
 */
function consistentAt(record: WalRecord, { stopLsn }: BackupRecord): PlannedStop | undefined {
  const consistentLsn = parseLsn(stopLsn);
  const setting = (inclusive: boolean): PostgresTarget => ({ type: "lsn", lsn: record.lsn, inclusive });
  if (record.previousEndLsn >= consistentLsn)
    return { when: "before", record, lsn: record.previousEndLsn, setting: setting(false) };
  return record.endLsn >= consistentLsn
    ? { when: "after", record, lsn: record.endLsn, setting: setting(true) }
    : undefined;
}

/** The target in PostgreSQL's own terms, for its rule and for its settings. */
function postgresTarget(target: Exclude<StoppingTarget, { kind: "immediate" }>): PostgresTarget {
  switch (target.kind) {
    case "time":
      return { type: "time", time: target.time, inclusive: target.inclusive };
    case "lsn":
      return { type: "lsn", lsn: target.lsn, inclusive: target.inclusive };
    case "xid":
      return { type: "xid", xid: xidInRecords(target.xid), inclusive: target.inclusive };
    case "name":
      return { type: "name", name: target.name };
  }
}
