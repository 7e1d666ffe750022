/** When somebody should look within days, and when at once. */
export interface Alert {
  readonly warning?: string;
  readonly critical?: string;
}

/**
 * One row per alert: its name, and the conditions in words. Each metric names the alert that looks at it. An idle
 * server archives nothing, and a healthy one keeps gigabytes in `pg_wal`: so there is no alert on the time since the
 * last segment, nor on the size of `pg_wal` by itself.
 */
export const ALERTS = {
  BackupWalUnarchived: {
    warning: "Committed WAL has not been in the bucket for 5 minutes.",
    critical: "Committed WAL has not been in the bucket for 15 minutes, or nobody says whether it is.",
  },
  BackupWalQueueLong: {
    warning: "More than 20 finished WAL files wait.",
    critical: "More than 50 finished WAL files wait.",
  },
  BackupWalErrors: {
    warning: "More than 5 attempts to archive or ship WAL failed within an hour.",
    critical: "More than 20 attempts to archive or ship WAL failed within an hour.",
  },
  BackupPgWalFilling: {
    warning: "At its present rate the file system of pg_wal is full within 24 hours.",
    critical: "At its present rate the file system of pg_wal is full within 4 hours.",
  },
  BackupCommitsWaiting: {
    warning: "Commits have waited for the bucket for 5 seconds.",
    critical: "Commits have waited for the bucket for a minute.",
  },
  BackupGapOpen: { critical: "WAL was given up, and no base backup has followed yet." },
  BackupBaseOld: {
    warning: "The newest base backup is older than 8 days.",
    critical: "The newest base backup is older than 10 days.",
  },
  BackupBaseFailed: { warning: "The last base backup failed, or needs attention." },
  BackupVerifyFailed: { critical: "The last verification found an error, or could not look." },
  BackupVerifyOld: { warning: "No verification that read bytes has passed for 8 days." },
  BackupDrillFailed: { critical: "The last restore drill failed, or could not be carried out." },
  BackupDrillOld: { warning: "No restore drill has passed for 100 days." },
} as const satisfies Readonly<Record<string, Alert>>;

export type AlertName = keyof typeof ALERTS;
