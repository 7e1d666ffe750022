import { defineCommand, openConfiguredStore, storageOptions, walCompressionOptions } from "@soar/app-kit";
import { archiveWalFile } from "@soar/archive";

const options = {
  ...storageOptions,
  ...walCompressionOptions,
  "log-archive": {
    env: "BACKUP_LOG_ARCHIVE",
    type: "boolean",
    default: false,
    group: "Backup",
    help: "Log every archived file; PostgreSQL writes the line to its own log. For debugging.",
  },
  "archive-timeout": {
    env: "BACKUP_ARCHIVE_TIMEOUT",
    type: "duration",
    min: 1000,
    default: "60s",
    group: "Backup",
    help: "Give up on one file after this time, with all retries. PostgreSQL calls again.",
  },
} as const;

/** `archive_command`: exit status 0 only when the bucket holds exactly these bytes. */
export const push = defineCommand({
  name: "push",
  isDefault: true,
  summary: "Archive one WAL file; this is PostgreSQL's archive_command.",
  description:
    "Set archive_command = '/usr/local/bin/soar-wal-archive %p %f'.\n\nThe same file twice is success, another file under a name that is taken is refused; nothing is ever overwritten. PostgreSQL keeps a file until this command has ended with status 0.",
  positionals: {
    path: { help: "The file, relative to the data directory (%p)." },
    name: { help: "Its name in the archive (%f)." },
  },
  options,
  examples: [{ command: "soar-wal-archive pg_wal/000000010000000000000001 000000010000000000000001", explanation: "by hand, as the server's user, in the data directory" }],
  // It runs under the server every few seconds: its log is the server's.
  logFile: "none",
  async run({ config, positionals: { path, name }, log, signal, app }) {
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(config.archiveTimeoutMs)]);
    const store = await openConfiguredStore(config, { log, overrides: { retry: { deadlineMs: config.archiveTimeoutMs } } });
    try {
      const { outcome } = await archiveWalFile(store, path, name, {
        codec: config.walCompression,
        toolVersion: `${app.name} ${app.version}`,
        now: new Date(),
        signal: timeout,
      });
      if (config.logArchive) log.info(`${outcome === "archived" ? "archived" : "already archived"} write-ahead log file "${name}"`);
    } finally {
      await store.close();
    }
  },
});
