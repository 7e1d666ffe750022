// Restore a cluster: look at the machine, carry a plan out, tell from elsewhere how far it is.

export { restoreCluster } from "./restore-cluster.ts";
export { checkRestore, isInPlace } from "./check-restore.ts";
export { plannedToArchive, type LocalWalFile } from "./archive-wal/wal-to-archive.ts";
export type { ArchivedLocalWal, ArchiveWal } from "./archive-wal/archive-local-wal.ts";
export { servicesToStop } from "./stand-still.ts";
export { realDataDirectory } from "./data-directory.ts";
export type { CheckedRestore, RestoreEvent, RestoreOptions, RestoreReport } from "./run/restore-options.ts";
export { adoptClone, isFenced } from "./recover/fence.ts";
export { describeChanged } from "./server-config/host-settings.ts";
export { describeFence, describeSubscriptions } from "./recover/describe-fence.ts";
export { controlCommand, type ServerControl } from "./server-control/server-control.ts";
export type { FoundThere } from "./go-on/check-there.ts";
export type { Counted, FetchedWork, RestoreWork } from "./work-done.ts";
export type { Approach } from "./fetch/delta/approach.ts";
export { readRestoreStatus, type RestoreStatus } from "./status/read-status.ts";
