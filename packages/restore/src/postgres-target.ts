import { parseLsn, type RecoveryTarget as PostgresTarget } from "@soar/pg-tools";
import type { BackupRecord } from "@soar/repository";
import type { RecoveryTarget } from "./recovery-target.ts";

/** The target in PostgreSQL's own terms, for its rule and for its settings. */
export function postgresTarget(target: Exclude<RecoveryTarget, { kind: "latest" }>, backup: BackupRecord): PostgresTarget {
  switch (target.kind) {
    case "time":
      return { type: "time", time: target.time, inclusive: target.inclusive };
    case "lsn":
      return { type: "lsn", lsn: target.lsn, inclusive: target.inclusive };
    case "xid":
      return { type: "xid", xid: target.xid, inclusive: target.inclusive };
    case "name":
      return { type: "name", name: target.name };
    case "immediate":
      return { type: "immediate", consistentLsn: parseLsn(backup.stopLsn) };
  }
}
