// One file.
export { archiveWalFile, type ArchiveOptions } from "./archive-wal-file.ts";
export { readClusterIdentity } from "./cluster-identity.ts";
export { readWalSource, type ReadWalSource } from "./wal-source.ts";

// The resident archiver.
export { runArchiver, type ArchiverOptions, type RunningArchiver } from "./daemon/run-archiver.ts";
export { isSpoolInUse } from "./daemon/spool-lock.ts";
export type { QueueState } from "./daemon/archive-queue.ts";
export type { ArchiverEvent } from "./daemon/archiver-event.ts";
export type { BoundSetting, CallerSettings, RepositoryBinding } from "./daemon/repository-binding.ts";

// WAL that is given up on purpose.
export { declareGap, type DeclareGapOptions } from "./gap/declare-gap.ts";
export { describeGivenUp } from "./gap/given-up.ts";
export { planGap, type GapPlan, type PlanGapOptions } from "./gap/plan-gap.ts";

// The tail of the unfinished segment.
export { runTailShipper } from "./tail/run-tail-shipper.ts";
export type { TailOptions } from "./tail/tail-options.ts";
export type { TailEvent } from "./tail/tail-event.ts";
export { isQueueBeyond, type TailPlace } from "./tail/archive-continuity.ts";
export {
  createCommitWatch,
  type CommitEvent,
  type CommitLook,
  type CommitWatch,
  type HeldCommits,
} from "./status/commit-watch.ts";
export { createTailCleaner, type TailCleaner, type TailCleanerOptions } from "./tail/tail-cleaner.ts";

// The truth about archiving.
export { formatArchiverMetrics } from "./status/archiver-metrics.ts";
export { changeOf, openStatistics, type ArchiverStatistics } from "./status/archiver-statistics.ts";
export { joinChanges, type ArchiverCounters, type CounterChange } from "./status/archiver-counters.ts";
export { readArchiverStatus, type ArchiverStatus, type StatusSources } from "./status/archiver-status.ts";
export { createPositionHistory, type PositionHistory } from "./server-wal/position-history.ts";
export { readRepositoryFacts, type RepositoryFacts } from "./status/repository-facts.ts";
export { estimateTailCost, type TailCost } from "./status/tail-cost.ts";
export { finishedAt, readFinishedSegments, readWalDirectory, type WalDirectory } from "./server-wal/wal-directory.ts";
export { readStandaloneStatus, type StandaloneOptions } from "./status/standalone-status.ts";
export { readCachedFacts, writeCachedFacts } from "./status/facts-cache.ts";
export { updateCounters } from "./status/counters-file.ts";
