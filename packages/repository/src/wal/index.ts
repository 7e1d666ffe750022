// WAL objects: put, get, describe, list.

export { codecSuffix, splitCodecSuffix } from "./codec-suffix.ts";
export { getWalFile, readWalDescription, readWalFile, type GetWalOptions } from "./get-wal.ts";
export { proveLargeStoredWal, proveStoredWal } from "./prove-stored-wal.ts";
export { joinWalObject, WAL_LEVELS, WAL_MEMBER_SIZE, type WalFileSource } from "./encode-wal.ts";
export { findWalObjects, putWalFile, type PutWalOptions, type PutWalOutcome } from "./put-wal.ts";
export { readTimelines, type Timelines } from "./read-timelines.ts";
export { findTimelineHistory, LARGEST_HISTORY, requireTimelineHistory } from "./timeline-files.ts";
export {
  formatWalDescription,
  LONGEST_DESCRIPTION,
  parseWalDescription,
  type WalDescription,
} from "./wal-description.ts";
export { lastSegment, listTimelines, listTimelineSegments, type TimelineSegments } from "./wal-inventory.ts";
export { decodeWalChanges, readWalChanges, type StoredWalChanges } from "./wal-changes.ts";
export { isCompressibleWalFile, parseWalKey, walKey, type WalObject } from "./wal-key.ts";
