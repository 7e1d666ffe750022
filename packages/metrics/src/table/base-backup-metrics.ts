import type { MetricTable } from "../metric-row.ts";

/** What is written after every base backup. A run that failed keeps what was written of the last one that did not. */
export const BASE_BACKUP_METRICS = {
  backup_base_last_success_timestamp_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "End of the last complete base backup, seconds since 1970.",
    alert: "BackupBaseOld",
  },
  backup_base_last_duration_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Time that the last complete base backup took.",
  },
  backup_base_last_size_bytes: {
    type: "gauge",
    unit: "bytes",
    help: "Bytes of all files of the cluster in the last complete base backup.",
  },
  backup_base_stored_bytes: {
    type: "gauge",
    unit: "bytes",
    help: "Bytes that the last complete base backup added to the bucket.",
  },
  backup_base_damaged_files: {
    type: "gauge",
    help: "Files with damaged pages that the last complete base backup found.",
    alert: "BackupBaseFailed",
  },
  backup_base_last_run_failed: {
    type: "gauge",
    help: "1 when the last run failed, or needs attention.",
    alert: "BackupBaseFailed",
  },
} as const satisfies MetricTable;
