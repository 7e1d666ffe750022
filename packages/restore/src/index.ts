// Plan
export { planRestore, type PlanOptions } from "./plan/plan-restore.ts";
export { describeTarget, type RestoreTarget } from "./plan/restore-target.ts";
export type { CommitPoint, ResolvedTarget } from "./plan/resolve-target.ts";
export type { RestorePlan } from "./plan/plan.ts";
export { planChecks, type PlanCheck } from "./plan/plan-checks.ts";
export { measureDownload, type MeasuredDownload } from "./plan/measure-download.ts";

// Carry out
export { withPlanLease, type PlanLeaseOptions } from "./plan/plan-lease.ts";
export { restoreCluster } from "./restore-cluster.ts";
export { checkRestore, isInPlace } from "./check-restore.ts";
export type { CheckedRestore, RestoreEvent, RestoreOptions, RestoreReport } from "./run/restore-options.ts";
export { adoptClone, isFenced } from "./recover/fence.ts";
export { discardKept, listKeptData, requireDiscardable, type KeptData } from "./in-place/discard-kept.ts";
export { compareServerConfig, type ConfigDifference } from "./server-config/config-difference.ts";
export { lineDifference } from "./in-place/line-difference.ts";
export { findLocalWalPlaces } from "./in-place/local-wal-places.ts";
export { controlCommand, type ServerControl } from "./server-control/server-control.ts";
export { readBackupTable } from "./fetch/fetch-backup.ts";
export { readRestoreStatus, type RestoreStatus } from "./status/read-status.ts";

// restore_command
export { answerWalRequest, parseLineageTable, type LineageTable, type WalRequest } from "./wal/lineage-table.ts";
export { ABSENT_STATUS, restoreCommand } from "./wal/restore-command.ts";
export { fetchWalFile } from "./wal/wal-fetch.ts";

// Rescue one database, or tables
export { rescueDatabase, type DatabaseRescueOptions, type DatabaseRescueReport } from "./rescue/rescue-database.ts";
export {
  inspectTargetDatabase,
  requireFillable,
  type TargetDatabase,
  type TargetServer,
} from "./rescue/target-database.ts";
export { removeAbandoned, type Abandoned } from "./rescue/scratch-directory.ts";
export {
  requireFree,
  rescueTables,
  type TableDestination,
  type TableRescueOptions,
  type TableRescueReport,
} from "./rescue/rescue-tables.ts";
export type { TableName } from "./rescue/choose-relations.ts";
export type { RescueEvent, ScratchCluster, ScratchOptions } from "./rescue/scratch-types.ts";

// A scratch cluster for whatever is to be proved with it
export { withReplica, type Replica } from "./rescue/with-replica.ts";
export { useScratchCluster, type UseScratchOptions } from "./rescue/use-scratch.ts";
export { connectionEnvironment, databaseArgument } from "./rescue/run-program.ts";
