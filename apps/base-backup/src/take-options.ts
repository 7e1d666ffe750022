import { backupCompressionOptions, jobsOptions, notifyOptions, postgresOptions, retentionOptions, storageOptions, type OptionTable } from "@soar/app-kit";

/** Options of `take`. */
export const takeOptions = {
  ...storageOptions,
  ...postgresOptions,
  ...backupCompressionOptions,
  ...jobsOptions,
  ...retentionOptions,
  ...notifyOptions,
  "rate-limit": {
    env: "BACKUP_RATE_LIMIT",
    type: "size",
    min: 32 * 1024,
    max: 1024 ** 3,
    allowOff: true,
    default: "off",
    group: "Backup",
    help: "Let the server read no more than so many bytes a second, for example 50MiB.",
  },
  incremental: {
    env: "BACKUP_INCREMENTAL",
    type: "boolean",
    default: false,
    group: "Backup",
    help: "Store only chunks that no earlier backup holds, and refer to the others. A restore is as direct as that of a full backup.",
  },
  "full-every": { env: "BACKUP_FULL_EVERY", type: "duration", min: 0, default: "28d", group: "Backup", help: "With --incremental: take a full backup when the last one is older." },
  expire: { env: "BACKUP_EXPIRE", type: "boolean", default: true, group: "Backup", help: "Leave out the expiry that follows a backup, for example where the key has no right to remove objects." },
  checkpoint: { type: "choice", choices: ["fast", "spread"], default: "fast", group: "Backup", help: "Begin with a checkpoint at once, or let the server spread its writes." },
  label: { type: "string", group: "Backup", unset: "the UTC date", help: "Label of the backup: a date like 2025-01-05, or 2025-01-05T140312Z." },
  "wal-timeout": {
    env: "BACKUP_WAL_TIMEOUT",
    type: "duration",
    min: 1000,
    default: "30min",
    group: "Backup",
    help: "Give up when the WAL of the finished backup has not reached the bucket after this time.",
  },
  "archiver-patience": {
    env: "BACKUP_ARCHIVER_PATIENCE",
    type: "duration",
    min: 0,
    default: "60s",
    group: "Backup",
    help: "Do not begin when the server's archive command still fails after this time.",
  },
} as const satisfies OptionTable;
