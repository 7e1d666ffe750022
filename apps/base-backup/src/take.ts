import { hostname } from "node:os";
import { backupCompressionOptions, defineCommand, formatDuration, formatRate, formatSize, jobsOptions, openConfiguredStore, postgresConnection, postgresOptions, retentionOptions, storageOptions } from "@soar/app-kit";
import { takeBackup } from "@soar/backup";
import { SoarError } from "@soar/errors";
import type { BackupRecord } from "@soar/repository";
import { expireRepository, policyOf } from "./retention.ts";

const options = {
  ...storageOptions,
  ...postgresOptions,
  ...backupCompressionOptions,
  ...jobsOptions,
  ...retentionOptions,
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
} as const;

const LONGEST_OUTAGE_MS = 45 * 60_000;

export const take = defineCommand({
  name: "take",
  isDefault: true,
  summary: "Take a base backup over the replication protocol, then expire.",
  description: "The user needs REPLICATION, pg_read_server_files and pg_monitor, or to be a superuser. The backup exists when it is complete and every WAL segment that it needs is in the bucket, not earlier.",
  options,
  examples: [
    { command: "soar-base-backup", explanation: "with the settings of /etc/soar/backup-env" },
    { command: "soar-base-backup take --compression zstd --jobs 2", explanation: "smaller and faster than gzip, with two threads" },
    { command: "soar-base-backup take --incremental", explanation: "only what changed since the last backup" },
  ],
  async run({ config, log, output, signal, startProgress, app }) {
    // Providers go down for half an hour of maintenance; hours of copying must not be lost to that.
    const store = await openConfiguredStore(config, { log, overrides: { retry: { deadlineMs: Math.max(config.retryDeadlineMs, LONGEST_OUTAGE_MS) } } });
    const progress = startProgress({ label: "base backup", unit: "bytes" });
    try {
      const record = await takeBackup(store, {
        server: serverOf(postgresConnection(config, { log, database: "postgres" }), postgresConnection(config, { log, replication: true })),
        codec: config.compression,
        jobs: config.jobs,
        checkpoint: config.checkpoint,
        rateLimitBytes: config.rateLimitBytes === "off" ? undefined : config.rateLimitBytes,
        incremental: config.incremental ? { fullEveryMs: config.fullEveryMs } : undefined,
        label: config.label,
        walTimeoutMs: config.walTimeoutMs,
        archiverPatienceMs: config.archiverPatienceMs,
        host: hostname(),
        toolVersion: `${app.name} ${app.version}`,
        now: () => new Date(),
        signal,
        onEvent: (event) => {
          if (event.type === "progress") progress.update(event.done, event.total);
          if (event.type === "waiting-for-wal") log.debug(`waiting for WAL segment ${event.missing}`);
          if (event.type === "incremental") log.info(event.base === undefined ? `taking a full backup: ${event.reason}` : `referring to backup ${event.base}`);
          if (event.type === "interrupted-removed") log.info(`removed what the interrupted backup ${event.label} had left`);
          if (event.type === "interrupted-left") log.warn(`unable to remove what the interrupted backup ${event.label} left: ${event.reason}`);
        },
      });
      progress.finish();
      log.info(`backup completed: ${summarize(record)}`);
      output.report({ json: record, text: () => `${record.label}  ${summarize(record)}` });
      if (config.expire) await expireRepository(store, { policy: policyOf(config), log, signal, approve: () => Promise.resolve() });
      requireUndamaged(record);
    } finally {
      progress.finish();
      await store.close();
    }
  },
});

/** The password file may have other lines for database `replication`; the first that gives a password serves both. */
function serverOf(sql: ReturnType<typeof postgresConnection>, replication: ReturnType<typeof postgresConnection>) {
  const { host, port, user, database, sslMode, sslCaPem } = sql;
  return { host, port, user, database, password: sql.password ?? replication.password, applicationName: "soar-base-backup", ...(host.startsWith("/") ? {} : { tls: { mode: sslMode === "allow" ? ("prefer" as const) : sslMode, caPem: sslCaPem } }) };
}

function summarize({ label, kind, sizes, durationMs, firstSegment, lastSegment }: BackupRecord): string {
  const rate = formatRate(sizes.database / (durationMs / 1000));
  return `${label}, ${kind}, ${formatSize(sizes.database)} in ${formatDuration(durationMs)} (${rate}), ${formatSize(sizes.new)} stored, WAL ${firstSegment} to ${lastSegment}`;
}

/** The backup is kept: one bad page must not mean no backup ever again. But somebody has to hear of it. */
function requireUndamaged({ label, damagedPages }: BackupRecord): void {
  const [first] = damagedPages;
  if (first === undefined) return;
  throw new SoarError("BACKUP_DAMAGED_PAGES", `backup '${label}' was kept, but ${damagedPages.length} files of the server have damaged pages: '${first.path}' ${first.detail}`, {
    hint: "Find the relation with pg_amcheck, and restore it from an older backup before that one expires.",
  });
}
