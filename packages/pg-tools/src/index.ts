// The words of WAL: LSNs, names of segments and other files, timelines and what each of them owns.

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
  toHex8,
  type WalSegment,
} from "./wal-names/wal-segment.ts";
export { isOnLineage, switchLsnOf, timelineOfLsn, timelineOfSegment } from "./timeline/lineage.ts";
export {
  formatTimelineHistory,
  findSwitchPoint,
  parseTimelineHistory,
  type TimelineHistory,
  type TimelineHistoryEntry,
} from "./timeline/timeline-history.ts";
