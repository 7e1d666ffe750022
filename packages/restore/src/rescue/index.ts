// One database or some tables brought back, and the scratch cluster that serves for it and for every proof.

export { rescueDatabase, type DatabaseRescueOptions, type DatabaseRescueReport } from "./rescue-database.ts";
export { inspectTargetDatabase, requireFillable, type TargetDatabase, type TargetServer } from "./target-database.ts";
export { removeAbandoned, type Abandoned } from "./scratch-directory.ts";
export {
  requireFree,
  rescueTables,
  type TableDestination,
  type TableRescueOptions,
  type TableRescueReport,
} from "./rescue-tables.ts";
export type { TableName } from "./choose-relations.ts";
export type { RescueEvent, ScratchCluster, ScratchOptions } from "./scratch-types.ts";
export { withReplica, type Replica } from "./with-replica.ts";
export { withoutEventTriggers } from "./event-triggers.ts";
export { useScratchCluster, type UseScratchOptions } from "./use-scratch.ts";
export { connectionEnvironment, databaseArgument, inEncoding, type ProgramText } from "./run-client-program.ts";
