export { chooseBackupLabel, isBackupLabel, requireBackupLabel, type BackupLabel } from "./records/backup-label.ts";
export { listBackupDirectories, listBackupRecords, type BackupDirectory } from "./records/backup-directories.ts";
export {
  findBackupRecord,
  putBackupRecord,
  readBackupObject,
  SMALL_OBJECT_LIMIT_BYTES,
  requireBackupRecord,
  type BackupRecord,
} from "./records/backup-record.ts";
export { listExpiredWal, putExpiredWal, type ExpiredWal } from "./records/expired-wal.ts";
export { explainHole, type AbsentWal, type HolePart } from "./chain/explain-hole.ts";
export { codecSuffix, splitCodecSuffix } from "./wal/codec-suffix.ts";
export { COPY_MARK, requireNoCopy } from "./records/copy-mark.ts";
export { requireDigest, sha256Hex } from "./records/digest.ts";
export { getWalFile, readWalDescription, readWalFile, type GetWalOptions } from "./wal/get-wal.ts";
export {
  executeExpiry,
  removeBackup,
  type ExecuteExpiryOptions,
  type ExpiryEvent,
  type ExpiryOutcome,
} from "./expiry/expiry-execute.ts";
export {
  planExpiry,
  removalOrder,
  windowStartOf,
  type ExpiredBackup,
  type ExpiryPlan,
  type RetentionPolicy,
} from "./expiry/expiry-plan.ts";
export {
  readExpiryState,
  readNewestStamp,
  readStarted,
  type ExpiryState,
  type TimelineState,
} from "./expiry/expiry-state.ts";
export {
  ageAt,
  isAhead,
  proveTime,
  provedEnd,
  type ProvedTime,
  type StampedBackup,
  type TimeEvidence,
} from "./time/proved-time.ts";
export { FORMAT_VERSION, isSealedRecord } from "./records/json-record.ts";
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
} from "./records/keys.ts";
export {
  claimLabel,
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
} from "./records/marker-records.ts";
export { holdLease, type HeldLease, type LeaseTerms } from "./expiry/hold-lease.ts";
export {
  findWalObjects,
  putWalFile,
  WAL_LEVELS,
  WAL_MEMBER_SIZE,
  type PutWalOptions,
  type PutWalOutcome,
  type WalFileSource,
} from "./wal/put-wal.ts";
export {
  claimRepository,
  findRepositoryRecord,
  requireRepositoryRecord,
  requireSameCluster,
  type ClusterIdentity,
  type RepositoryRecord,
} from "./records/repository-record.ts";
export { readChainSegment } from "./chain/read-chain-segment.ts";
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
} from "./tail/tail-pieces.ts";
export { padTail, readTail, type Tail } from "./tail/tail-read.ts";
export { readTimelines, type Timelines, type UnreadableTimeline } from "./wal/read-timelines.ts";
export { findTimelineHistory, LARGEST_HISTORY, requireTimelineHistory } from "./wal/timeline-files.ts";
export { appendTail } from "./chain/chain-tail.ts";
export {
  assembleChain,
  readWalChain,
  type ReadChainOptions,
  type ChainHole,
  type ChainSegment,
  type FrozenTail,
  type WalChain,
} from "./chain/wal-chain.ts";
export {
  formatWalDescription,
  LONGEST_DESCRIPTION,
  parseWalDescription,
  type WalDescription,
} from "./wal/wal-description.ts";
export { lastSegment, listTimelines, listTimelineSegments, type TimelineSegments } from "./wal/wal-inventory.ts";
export { isCompressibleWalFile, parseWalKey, walKey, type WalObject } from "./wal/wal-key.ts";
export { findRestorableSpans, type RestorableSpan, type TimelineSpans } from "./window/window.ts";
export {
  readRecoveryWindow,
  type RangeHole,
  type RecoveryWindow,
  type RestorableRange,
  type TimelineWindow,
} from "./window/window-read.ts";
export { costOf, readingCost, requestsCost, storageOf, type StorageCost } from "./cost/cost.ts";
export { STORAGE_PRICES, type StoragePrices } from "./cost/cost-prices.ts";
export { readStorageUsage, type ReadUsageOptions, type StorageUsage } from "./cost/cost-usage.ts";
