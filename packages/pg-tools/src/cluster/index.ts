// The programs of a server: find, start, watch and stop it.

export { findPostgresPrograms, type FindProgramsOptions, type PostgresPrograms } from "./find-programs.ts";
export { type ClusterState, readClusterState } from "./cluster-state.ts";
export { readLiveControlFile } from "./live-control-file.ts";
export { startCluster, type StartClusterOptions, type StartedCluster } from "./start-cluster.ts";
export { readDeath, type ServerDeath } from "./server-death.ts";
export { CAPTURE_SETTINGS } from "./server-log.ts";
export { runSingleUser, type SingleUserOptions } from "./single-user.ts";
export { stopCluster, type StopClusterOptions } from "./stop-cluster.ts";
export type { RecoveryEvent } from "./recovery-log.ts";
export {
  type OwnWords,
  type RecoveryOutcome,
  waitForRecovery,
  type WaitForRecoveryOptions,
} from "./wait-for-recovery.ts";
