import { jobsOptions, notifyOptions, storageOptions, type OptionTable } from "@soar/app-kit";

/** Options of `verify`. */
export const verifyOptions = {
  ...storageOptions,
  ...jobsOptions,
  ...notifyOptions,
  level: {
    type: "choice",
    choices: ["quick", "full"],
    group: "Verification",
    unset: "the newest backup and its WAL in full, the rest quick, and a sample",
    help: "Read records, listings, seek tables and manifests only, or every byte besides. Named backups are read in full unless this says otherwise.",
  },
  sample: {
    env: "BACKUP_VERIFY_SAMPLE",
    type: "string",
    placeholder: "PERCENT",
    group: "Verification",
    unset: "as much as --reread-within needs",
    example: "3%",
    help: "Read so much of all stored bytes in each run, what was read longest ago first: with 3% every byte is read again after 34 runs.",
  },
  "reread-within": { env: "BACKUP_VERIFY_REREAD_WITHIN", type: "duration", min: 86_400_000, default: "30d", group: "Verification", help: "Without --level and --sample: read every byte again within this time." },
  every: { env: "BACKUP_VERIFY_EVERY", type: "duration", min: 3_600_000, default: "7d", group: "Verification", help: "How often a verification runs; with --reread-within it gives the size of the sample." },
  "state-dir": {
    env: "BACKUP_VERIFY_STATE_DIR",
    type: "string",
    placeholder: "DIR",
    group: "Verification",
    default: "/var/lib/soar/verify",
    help: "Directory of this machine where it is kept what was read when. It holds nothing that a restore needs.",
  },
  "base-warning-age": { env: "BACKUP_VERIFY_BASE_WARNING_AGE", type: "duration", min: 0, default: "8d", group: "Verification", help: "Warn when the newest base backup is older." },
  "base-max-age": { env: "BACKUP_VERIFY_BASE_MAX_AGE", type: "duration", min: 0, default: "10d", group: "Verification", help: "Fail when the newest base backup is older." },
  "archive-max-age": {
    env: "BACKUP_VERIFY_ARCHIVE_MAX_AGE",
    type: "duration",
    min: 0,
    allowOff: true,
    default: "1d",
    group: "Verification",
    help: "Warn when no WAL has arrived for longer. A server to which nothing is written archives nothing: off where that is usual.",
  },
  "metrics-file": {
    env: "BACKUP_VERIFY_METRICS_FILE",
    type: "string",
    placeholder: "FILE",
    group: "Notification",
    unset: "no metrics",
    example: "/var/lib/prometheus/node-exporter/soar-backup-verify.prom",
    help: "File for the textfile collector of Prometheus' node_exporter, replaced after every run.",
  },
} as const satisfies OptionTable;
