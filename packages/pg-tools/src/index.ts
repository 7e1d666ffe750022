export { compareLsn, formatLsn, type Lsn, parseLsn } from "./wal-names/lsn.ts";
export {
  formatBackupHistoryName,
  formatHistoryFileName,
  formatPartialName,
  parseWalFileName,
  type WalFileName,
} from "./wal-names/wal-file-name.ts";
export {
  formatWalSegment,
  isWalSegmentSize,
  lsnOfSegmentIndex,
  nextWalSegment,
  parseWalSegment,
  segmentIndexBeforeLsn,
  segmentIndexOfLsn,
  type WalSegment,
} from "./wal-names/wal-segment.ts";

export {
  isOnLineage,
  switchLsnOf,
  timelineOfLsn,
  timelineOfSegment,
  timelineSpans,
  type TimelineSpan,
} from "./timeline/lineage.ts";
export {
  formatTimelineHistory,
  parseTimelineHistory,
  type TimelineHistory,
  type TimelineHistoryEntry,
} from "./timeline/timeline-history.ts";

export {
  checkWalSegmentHeader,
  type CheckWalSegmentHeaderOptions,
  type WalSegmentHeader,
} from "./wal-records/check-wal-segment-header.ts";
export { readWalPageHeader, type WalLongPageHeader, type WalPageHeader } from "./wal-records/wal-page-header.ts";
export {
  findRecoveryStop,
  recoveryStopAt,
  type RecoveryStop,
  type RecoveryTarget,
} from "./wal-records/find-recovery-stop.ts";
export type { WalEnd, WalEndCause } from "./wal-records/wal-end.ts";
export {
  type BackupEnd,
  type Checkpoint,
  type EndOfRecovery,
  isTransactionEnd,
  type OtherRecord,
  type OverwriteContrecord,
  type ParameterChange,
  type RestorePoint,
  type SegmentSwitch,
  type TransactionEnd,
  type TransactionPrepare,
  type WalRecord,
  type WalRecordPosition,
} from "./wal-records/wal-record.ts";
export { createWalScanner, type WalScanner, type WalScannerOptions } from "./wal-records/wal-scanner.ts";
export {
  createWalSummarizer,
  summarizeWalSegment,
  type WalSegmentSummary,
  type WalSummarizer,
} from "./wal-records/wal-segment-summary.ts";

export {
  ACCESS_FILE_SETTINGS,
  findMajor,
  majorOfVersionNumber,
  OLDEST_MAJOR,
  pgMajorOfWalMagic,
  requireMajor,
  SUPPORTED_VERSIONS,
} from "./majors/find-major.ts";
export {
  type ControlFileFormat,
  type MajorFeatures,
  SUPPORTED_MAJORS,
  type SupportedMajor,
  type WalFormat,
} from "./majors/supported-majors.ts";

export { type ControlFile, type ControlFileState, readControlFile } from "./control-file/control-file.ts";

export {
  type BackupHistory,
  type BackupLabel,
  formatBackupHistory,
  formatBackupLabel,
  parseBackupHistory,
  parseBackupLabel,
} from "./labels/backup-label.ts";
export { formatTablespaceMap, parseTablespaceMap, type TablespaceLocation } from "./labels/tablespace-map.ts";

export { pageChecksum } from "./page-checksum/page-checksum.ts";
export { parseRelationPath, type RelationPath } from "./page-checksum/relation-path.ts";
export { type DamagedPage, findDamagedPages, type VerifyPagesOptions } from "./page-checksum/verify-pages.ts";

export type { BackupManifest, ManifestFile, ManifestHead, ManifestWalRange } from "./manifest/backup-manifest.ts";
export { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from "./manifest/checksum-algorithm.ts";
export { createFileChecksum, type FileChecksum } from "./manifest/file-checksum.ts";
export { crc32cOf, formatCrc32c, joinCrc32c } from "./manifest/joined-crc32c.ts";
export { formatBackupManifest } from "./manifest/format-manifest.ts";
export { createManifestReader, type ManifestReader, parseBackupManifest } from "./manifest/manifest-reader.ts";
export { replaceInManifest } from "./manifest/replace-in-manifest.ts";

export { type ConfigSetting, formatConfigSetting, parseConfigSettings } from "./recovery-config/config-file.ts";
export {
  readLeftoverTargets,
  type RecoveryMode,
  removeRecoverySettings,
  setRecoveryMode,
  writeRecoverySettings,
} from "./recovery-config/recovery-config.ts";
export {
  findLeftoverTargets,
  formatTargetTime,
  type RecoverySettings,
  recoveryTargetSettings,
} from "./recovery-config/recovery-settings.ts";

export { libpqEnvironment, type LibpqFiles } from "./replication/libpq-environment.ts";
export { type ServerConfig, serverLocation, type ServerTls } from "./replication/server-config.ts";
export { connectSql, type SqlConnection, type SqlRow } from "./replication/sql-connection.ts";
export {
  readServerFacts,
  RECOVERY_PARAMETERS,
  type RecoveryParameter,
  type ServerDatabase,
  type ServerFacts,
  type ServerTablespace,
} from "./replication/server-facts.ts";
export {
  connectReplication,
  type ReplicationConnection,
  type ReplicationOptions,
} from "./replication/replication-connection.ts";
export {
  createPhysicalSlot,
  dropReplicationSlot,
  identifySystem,
  readReplicationSlot,
  type ReplicationSlot,
  showSetting,
  type SystemIdentity,
  timelineHistory,
} from "./replication/replication-commands.ts";
export { baseBackup } from "./replication/base-backup.ts";
export type { BackupTablespace, BaseBackupEvent } from "./replication/base-backup-stream.ts";
export { type BaseBackupOptions } from "./replication/base-backup-command.ts";
export { DamageCollector, type DamagedFile, type DamageReport } from "./replication/damaged-pages.ts";

export { findPostgresPrograms, type FindProgramsOptions, type PostgresPrograms } from "./cluster/find-programs.ts";
export {
  type ClusterState,
  isClusterRunning,
  type PostmasterStatus,
  readClusterState,
} from "./cluster/cluster-state.ts";
export { type ClusterOwner, requireOwner } from "./cluster/cluster-owner.ts";
export { startCluster, type StartClusterOptions, type StartedCluster } from "./cluster/start-cluster.ts";
export { stopCluster, type StopClusterOptions } from "./cluster/stop-cluster.ts";
export { type RecoveryEvent } from "./cluster/recovery-log.ts";
export { type RecoveryOutcome, waitForRecovery, type WaitForRecoveryOptions } from "./cluster/wait-for-recovery.ts";
export { streamWal, type StreamWalOptions, type WalStream, type WalStreamEvent } from "./replication/stream-wal.ts";
