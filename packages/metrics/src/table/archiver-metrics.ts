import type { MetricTable } from "../metric-row.ts";

/** What the resident archiver serves and writes, and every `archive_command` without one. */
export const ARCHIVER_METRICS = {
  backup_wal_age_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Time since the last successful archive; an idle server archives nothing.",
  },
  backup_wal_queue_depth: {
    type: "gauge",
    help: "Finished WAL files that are not in the bucket.",
    alert: "BackupWalQueueLong",
  },
  backup_wal_unarchived_bytes: {
    type: "gauge",
    unit: "bytes",
    help: "Committed WAL that is not in the bucket.",
    alert: "BackupWalUnarchived",
  },
  backup_wal_oldest_unarchived_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Age of the oldest WAL that is not in the bucket.",
    alert: "BackupWalUnarchived",
  },
  backup_synchronous_waiting_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "How long commits have waited for the bucket because of synchronous_standby_names.",
    alert: "BackupCommitsWaiting",
  },
  backup_pg_wal_bytes: { type: "gauge", unit: "bytes", help: "Size of all files in pg_wal." },
  backup_pg_wal_free_bytes: {
    type: "gauge",
    unit: "bytes",
    help: "Free space of the file system of pg_wal.",
    alert: "BackupPgWalFilling",
  },
  backup_archiver_resident: {
    type: "gauge",
    help: "1 when the resident archiver wrote this, 0 when archive_command did.",
  },
  backup_wal_errors_total: {
    type: "counter",
    help: "Failed attempts to archive or ship WAL.",
    alert: "BackupWalErrors",
  },
  backup_wal_archived_total: { type: "counter", help: "WAL files archived." },
  backup_wal_given_up_total: { type: "counter", help: "WAL files of declared gaps that were not archived." },
  backup_wal_tail_pieces_total: { type: "counter", help: "Pieces of unfinished segments shipped." },
  backup_upload_bytes_total: {
    type: "counter",
    unit: "bytes",
    help: "Stored bytes of WAL files and tail pieces.",
  },
  backup_requests_total: {
    type: "counter",
    labels: { kind: "put, multipart, list, get, head, delete", outcome: "ok, refused, failed, unanswered" },
    help: "Requests to the storage provider, repeated ones included.",
  },
  backup_base_age_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Time since the end of the newest complete base backup.",
    alert: "BackupBaseOld",
  },
  backup_base_size_bytes: {
    type: "gauge",
    unit: "bytes",
    help: "Bytes of all files of the cluster in the newest complete base backup.",
  },
  backup_base_duration_seconds: {
    type: "histogram",
    unit: "seconds",
    bounds: [60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400],
    help: "Time that complete base backups took.",
  },
  backup_wal_gaps: { type: "gauge", help: "Declared gaps in the bucket." },
  backup_wal_open_gaps: {
    type: "gauge",
    help: "Declared gaps that no base backup has followed: nothing behind them can be restored.",
    alert: "BackupGapOpen",
  },
} as const satisfies MetricTable;
