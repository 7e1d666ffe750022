import type { MetricTable } from "../metric-row.ts";

/** What is written after every restore drill. What a drill could not measure keeps what the last one measured. */
export const DRILL_METRICS = {
  backup_drill_last_success_timestamp_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "End of the last drill that passed, seconds since 1970.",
    alert: "BackupDrillOld",
  },
  backup_drill_rto_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "From the decision to restore until the server took connections.",
  },
  backup_drill_rpo_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Commits that a loss of the server at the beginning of the drill would have cost, at the most.",
  },
  backup_drill_download_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Time in which the backup was being downloaded.",
  },
  backup_drill_extract_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Time in which the backup was being extracted, beside the download.",
  },
  backup_drill_replay_seconds: { type: "gauge", unit: "seconds", help: "Time in which WAL was replayed." },
  backup_drill_duration_seconds: { type: "gauge", unit: "seconds", help: "Time that the whole drill took." },
  backup_drill_backup_age_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Age of the backup that was restored, at the beginning of the drill.",
  },
  backup_drill_failed_checks: {
    type: "gauge",
    help: "Checks of the restored server that failed.",
    alert: "BackupDrillFailed",
  },
  backup_drill_last_run_timestamp_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "End of the last drill, seconds since 1970.",
  },
  backup_drill_last_run_failed: {
    type: "gauge",
    help: "1 when the last drill failed, or could not be carried out.",
    alert: "BackupDrillFailed",
  },
} as const satisfies MetricTable;
