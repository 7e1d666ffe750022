// The records of the WAL, and where recovery stops among them.

export {
  checkWalSegmentHeader,
  type CheckWalSegmentHeaderOptions,
  type WalSegmentHeader,
} from "./check-wal-segment-header.ts";
export { readWalPageHeader, type WalPageHeader } from "./wal-page-header.ts";
export { findRecoveryStop, recoveryStopAt, type RecoveryStop, type RecoveryTarget } from "./find-recovery-stop.ts";
export type { WalEnd } from "./wal-end.ts";
export { isTransactionEnd, type TransactionEnd, type WalRecord } from "./wal-record.ts";
export { createWalScanner, type WalScanner, type WalScannerOptions } from "./wal-scanner.ts";
export {
  createWalSummarizer,
  type RecordObserver,
  summarizeWalSegment,
  type SummarizeOptions,
  type WalSegmentSummary,
  type WalSummarizer,
} from "./wal-segment-summary.ts";
