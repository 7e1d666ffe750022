// backup_label, tablespace_map and backup history files.

export {
  type BackupHistory,
  type BackupLabel,
  formatBackupHistory,
  formatBackupLabel,
  parseBackupHistory,
  parseBackupLabel,
} from "./backup-label.ts";
export { formatTablespaceMap, parseTablespaceMap, type TablespaceLocation } from "./tablespace-map.ts";
