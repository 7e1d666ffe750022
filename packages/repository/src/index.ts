// What lies in a bucket and whose it is: keys, labels, the records of the repository and of its backups.

export { chooseBackupLabel, isBackupLabel, requireBackupLabel } from "./records/backup-label.ts";
export {
  listBackupDirectories,
  listBackupRecords,
  referrersOf,
  type BackupDirectory,
} from "./records/backup-directories.ts";
export {
  archiveObjects,
  findBackupRecord,
  RECORD_LIMITS,
  putBackupRecord,
  readBackupObject,
  SMALL_OBJECT_LIMIT_BYTES,
  requireBackupRecord,
  type BackupRecord,
} from "./records/backup-record.ts";
export {
  asRepositoryDamage,
  readBackupOutline,
  readBackupTable,
  readBackupTableRows,
  tableOf,
} from "./records/backup-table.ts";
export { COPY_MARK, requireNoCopy } from "./records/copy-mark.ts";
export { requireDigest, sha256Hex } from "./records/digest.ts";
export { FORMAT_VERSION, formatRecord, isSealedRecord, parseJsonAs, readRecordText } from "./records/json-record.ts";
export {
  BACKUP_OBJECTS,
  backupKey,
  backupPrefix,
  BASE_PREFIX,
  CONFIG_KEY,
  parseBackupKey,
  TAIL_PREFIX,
  UPLOAD_PREFIXES,
  WAL_PREFIX,
} from "./records/keys.ts";
export { claimRepository } from "./claim/claim-repository.ts";
export {
  findRepositoryRecord,
  holdsRepository,
  requireRepositoryRecord,
  requireSameCluster,
  type ClusterIdentity,
  type RepositoryRecord,
} from "./records/repository-record.ts";
