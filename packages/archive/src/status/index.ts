// How archiving stands: counters, positions, waiting commits, the facts of the bucket.

export {
  createCommitWatch,
  type CommitEvent,
  type CommitLook,
  type CommitWatch,
  type HeldCommits,
} from "./commit-watch.ts";
export { formatArchiverMetrics } from "./archiver-metrics.ts";
export { changeOf, openStatistics, type ArchiverStatistics } from "./archiver-statistics.ts";
export { joinChanges, type ArchiverCounters, type CounterChange } from "./archiver-counters.ts";
export { readArchiverStatus, type ArchiverStatus, type StatusSources } from "./archiver-status.ts";
export { readRepositoryFacts, type RepositoryFacts } from "./repository-facts.ts";
export { estimateTailCost, type TailCost } from "./tail-cost.ts";
export { readStandaloneStatus, type StandaloneOptions } from "./standalone-status.ts";
export { readCachedFacts, writeCachedFacts } from "./facts-cache.ts";
export { updateCounters } from "./counters-file.ts";
