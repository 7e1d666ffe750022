// backup_label, tablespace_map and backup history files.

export {
  type BackupHistory,
  type BackupHistoryName,
  type BackupLabel,
  formatBackupHistory,
  formatBackupLabel,
  parseBackupHistory,
  parseBackupHistoryOf,
  parseBackupLabel,
} from "./backup-label.ts";
export { formatTablespaceMap, parseTablespaceMap, type TablespaceLocation } from "./tablespace-map.ts";
