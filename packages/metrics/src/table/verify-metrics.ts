import type { MetricTable } from "../metric-row.ts";

const LEVELS = "quick, stored, sample, full";

/**
 * What is written after every verification of a whole repository. A run counts for its own level and for those
 * that look at less. Instants, not ages: an age would stand still until the next run.
 */
export const VERIFY_METRICS = {
  backup_verify_last_run_timestamp_seconds: {
    type: "gauge",
    unit: "seconds",
    labels: { level: LEVELS },
    help: "End of the last verification, seconds since 1970.",
  },
  backup_verify_last_run_failed: {
    type: "gauge",
    labels: { level: LEVELS },
    help: "1 when the last verification found an error, or could not look.",
    alert: "BackupVerifyFailed",
  },
  backup_verify_last_success_timestamp_seconds: {
    type: "gauge",
    unit: "seconds",
    labels: { level: LEVELS },
    help: "End of the last verification without an error, seconds since 1970.",
    alert: "BackupVerifyOld",
  },
  backup_verify_findings: {
    type: "gauge",
    labels: { level: LEVELS, severity: "error, warning, notice" },
    help: "Findings of the last verification.",
  },
  backup_verify_duration_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Time that the last verification took.",
  },
  backup_verify_read_bytes: {
    type: "gauge",
    unit: "bytes",
    help: "Stored bytes that the last verification read.",
  },
  backup_verify_backups: { type: "gauge", help: "Backups that the last verification looked at." },
  backup_verify_wal_segments: { type: "gauge", help: "WAL segments that the last verification looked at." },
  backup_verify_base_timestamp_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "End of the newest base backup, seconds since 1970.",
    alert: "BackupBaseOld",
  },
  backup_verify_archive_timestamp_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "When WAL was last stored, seconds since 1970.",
  },
  backup_verify_unread_timestamp_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "When the bytes that wait longest were last compared, seconds since 1970.",
  },
  backup_verify_window_holes: { type: "gauge", help: "Holes in what can be restored." },
} as const satisfies MetricTable;
