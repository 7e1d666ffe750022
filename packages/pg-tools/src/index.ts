export { formatLsn, type Lsn, parseLsn } from "./wal-names/lsn.ts";
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

export { isOnLineage, switchLsnOf, timelineOfLsn, timelineOfSegment, timelineSpans, type TimelineSpan } from "./timeline/lineage.ts";
export { formatTimelineHistory, parseTimelineHistory, type TimelineHistory, type TimelineHistoryEntry } from "./timeline/timeline-history.ts";

export { checkWalSegmentHeader, type CheckWalSegmentHeaderOptions, type WalSegmentHeader } from "./wal-records/check-wal-segment-header.ts";
export { pgMajorOfWalMagic, readWalPageHeader, type WalLongPageHeader, type WalPageHeader } from "./wal-records/wal-page-header.ts";
