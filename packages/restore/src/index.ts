// Plan
export { planRestore, type PlanOptions } from "./plan-restore.ts";
export { describeTarget, formatInstant, type RecoveryTarget } from "./recovery-target.ts";
export type { CommitPoint, ResolvedTarget } from "./resolve-target.ts";
export type { RestorePlan } from "./restore-plan.ts";

// Carry out
export { checkRestore, restoreCluster, type RestoreEvent, type RestoreOptions, type RestoreReport } from "./restore-cluster.ts";
export { readBackupTable } from "./fetch-backup.ts";
export { inspectDataDirectory, type DataDirectoryState } from "./data-directory.ts";

// restore_command
export { answerWalRequest, parseLineageTable, type LineageTable, type WalRequest } from "./lineage-table.ts";
export { ABSENT_STATUS, restoreCommand } from "./restore-command.ts";
export { fetchWalFile } from "./wal-fetch.ts";
