// Plan
export { planRestore, type PlanOptions } from "./plan-restore.ts";
export { describeTarget, formatInstant, type RecoveryTarget } from "./recovery-target.ts";
export type { CommitPoint, ResolvedTarget } from "./resolve-target.ts";
export type { RestorePlan } from "./restore-plan.ts";
export { planChecks, type PlanCheck } from "./plan-checks.ts";
export { measureDownload, type MeasuredDownload } from "./measure-download.ts";

// Carry out
export { withPlanLease, type PlanLeaseOptions } from "./plan-lease.ts";
export { restoreCluster } from "./restore-cluster.ts";
export { checkRestore, isInPlace } from "./check-restore.ts";
export type { CheckedRestore, RestoreEvent, RestoreOptions, RestoreReport } from "./restore-options.ts";
export { adoptClone, isFenced } from "./fence.ts";
export { discardKept, listKeptData, requireDiscardable, type KeptData } from "./in-place/discard-kept.ts";
export { compareServerConfig, type ConfigDifference } from "./in-place/server-config.ts";
export { lineDifference } from "./in-place/line-difference.ts";
export { findLocalWalPlaces } from "./local-wal/local-wal-places.ts";
export { controlCommand, type ServerControl } from "./server-control/server-control.ts";
export { readBackupTable } from "./fetch-backup.ts";
export { readRestoreStatus, type RestoreStatus } from "./status/read-status.ts";

// restore_command
export { answerWalRequest, parseLineageTable, type LineageTable, type WalRequest } from "./lineage-table.ts";
export { ABSENT_STATUS, restoreCommand } from "./restore-command.ts";
export { fetchWalFile } from "./wal-fetch.ts";

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
