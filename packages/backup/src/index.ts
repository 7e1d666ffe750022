export { takeBackup, type BackupEvent, type TakeBackupOptions } from "./take-backup.ts";
export { readServerConfig, packServerConfig, type ServerConfigFile } from "./server-config.ts";
export { waitForWal, type WalWait } from "./wait-for-wal.ts";
export { keepBackup, unkeepBackup, type KeepBackupOptions } from "./pin-backup.ts";
