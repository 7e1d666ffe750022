export { takeBackup } from "./take-backup.ts";
export type { BackupEvent, ReplayedSource, TakeBackupOptions } from "./backup-options.ts";
export { takeReplayedBackup, type TakeReplayedOptions } from "./take-replayed-backup.ts";
export { readServerConfig, packServerConfig } from "./server-config.ts";
export type { ServerConfig, ServerConfigFile } from "./follow-includes.ts";
export { waitForWal, type WalWait } from "./prove/wait-for-wal.ts";
export { keepBackup, unkeepBackup, type KeepBackupOptions } from "./keep-backup.ts";
export { replicationSource } from "./source/replication-source.ts";
export { filesSource, filesSourceOr } from "./files/files-source.ts";
export type {
  ArchiveFiles,
  ArchiveStream,
  BackupRequest,
  BackupSource,
  FinishedBackup,
  RunningBackup,
} from "./source/backup-source.ts";
export { programSource, type ProgramSourceOptions } from "./source/program-source.ts";
