export { chooseBackupLabel, isBackupLabel, requireBackupLabel, type BackupLabel } from "./backup-label.ts";
export {
  findBackupRecord,
  listBackupDirectories,
  listBackupRecords,
  putBackupRecord,
  readBackupObject,
  requireBackupRecord,
  type BackupDirectory,
  type BackupRecord,
} from "./backup-record.ts";
export { codecSuffix, splitCodecSuffix } from "./codec-suffix.ts";
export { COPY_MARK, requireNoCopy } from "./copy-mark.ts";
export { requireDigest, sha256Hex } from "./digest.ts";
export { getWalFile, readWalDescription, readWalFile, type GetWalOptions } from "./get-wal.ts";
export {
  executeExpiry,
  removeBackup,
  type ExecuteExpiryOptions,
  type ExpiryEvent,
  type ExpiryOutcome,
} from "./expiry-execute.ts";
export {
  planExpiry,
  removalOrder,
  type ExpiredBackup,
  type ExpiryPlan,
  type ExpiryState,
  type RetentionPolicy,
  type TimelineState,
} from "./expiry-plan.ts";
export { readExpiryState, readStarted } from "./expiry-state.ts";
export { FORMAT_VERSION, isSealedRecord } from "./json-record.ts";
export {
  BACKUP_OBJECTS,
  backupKey,
  backupPrefix,
  BASE_PREFIX,
  CONFIG_KEY,
  leaseKey,
  parseBackupKey,
  TAIL_PREFIX,
  tailPieceKey,
  tailPrefix,
  WAL_PREFIX,
} from "./keys.ts";
export {
  claimLabel,
  findDeclaredGap,
  findGap,
  findStarted,
  listGaps,
  listLeases,
  putGap,
  putKeep,
  putLease,
  type GapRecord,
  type KeepRecord,
  type LeaseRecord,
  type StartedRecord,
} from "./marker-records.ts";
export { holdLease, type HeldLease, type LeaseTerms } from "./hold-lease.ts";
export {
  findWalObjects,
  putWalFile,
  WAL_LEVELS,
  WAL_MEMBER_SIZE,
  type PutWalOptions,
  type PutWalOutcome,
  type WalFileSource,
} from "./put-wal.ts";
export {
  claimRepository,
  findRepositoryRecord,
  requireRepositoryRecord,
  requireSameCluster,
  type ClusterIdentity,
  type RepositoryRecord,
} from "./repository-record.ts";
export { readChainSegment } from "./read-chain-segment.ts";
export {
  listTailPieces,
  listTailSegments,
  parseTailPieceKey,
  putTailPiece,
  readTailDigest,
  removeTail,
  type NewTailPiece,
  type PutTailOptions,
  type TailPiece,
} from "./tail-pieces.ts";
export { padTail, readTail, type Tail } from "./tail-read.ts";
export { findTimelineHistory, requireTimelineHistory } from "./timeline-files.ts";
export { appendTail } from "./chain-tail.ts";
export {
  assembleChain,
  readWalChain,
  type ReadChainOptions,
  type ChainHole,
  type ChainSegment,
  type FrozenTail,
  type WalChain,
} from "./wal-chain.ts";
export {
  formatWalDescription,
  LONGEST_DESCRIPTION,
  parseWalDescription,
  type WalDescription,
} from "./wal-description.ts";
export { lastSegment, listTimelines, listTimelineSegments, type TimelineSegments } from "./wal-inventory.ts";
export { isCompressibleWalFile, parseWalKey, walKey, type WalObject } from "./wal-key.ts";
export { findRestorableSpans, type RestorableSpan, type TimelineSpans } from "./window.ts";
export {
  readRecoveryWindow,
  type RangeHole,
  type RecoveryWindow,
  type RestorableRange,
  type TimelineWindow,
} from "./window-read.ts";
export { costOf, readingCost, requestsCost, storageOf, type StorageCost } from "./cost.ts";
export { STORAGE_PRICES, type StoragePrices } from "./cost-prices.ts";
export { readStorageUsage, type ReadUsageOptions, type StorageUsage } from "./cost-usage.ts";
