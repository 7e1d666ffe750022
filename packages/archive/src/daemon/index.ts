// The resident archiver: archives what is finished before PostgreSQL asks.

export { runArchiver, type ArchiverOptions, type RunningArchiver } from "./run-archiver.ts";
export { isSpoolInUse } from "./spool-lock.ts";
export type { ArchiverEvent } from "./archiver-event.ts";
export type { BoundSetting, CallerSettings, RepositoryBinding } from "./repository-binding.ts";
