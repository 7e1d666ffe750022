import type { OptionTable } from "./option-table.ts";

/** How many things are done at once. */
export const jobsOptions = {
  jobs: {
    env: "BACKUP_PARALLEL_JOBS",
    type: "integer",
    short: "j",
    min: 1,
    max: 256,
    default: 4,
    group: "Backup",
    help: "Things done at once everywhere: compression, segments in flight, downloads.",
  },
} as const satisfies OptionTable;

/** Room for what does not fit into memory. */
export const tempOptions = {
  "temp-dir": {
    env: "BACKUP_TEMP_DIR",
    type: "string",
    placeholder: "DIR",
    group: "Backup",
    default: "/var/lib/soar/backup-temp",
    help: "Directory for scratch clusters, dumps and spools. Its free space is checked before use.",
  },
} as const satisfies OptionTable;

/** Compression of base backups. */
export const backupCompressionOptions = {
  compression: {
    env: "BACKUP_COMPRESSION",
    type: "choice",
    choices: ["gzip", "zstd", "none"],
    default: "gzip",
    group: "Backup",
    help: "Compression of new base backups.",
  },
  "compression-level": {
    env: "BACKUP_COMPRESSION_LEVEL",
    type: "integer",
    min: -7,
    max: 19,
    group: "Backup",
    unset: "4 for gzip, 3 for zstd",
    example: "6",
    help: "Compression level of new base backups: 1 to 9 for gzip, -7 (fastest) to 19 for zstd. Higher ones store less and take longer.",
  },
} as const satisfies OptionTable;

/** Compression of WAL. */
export const walCompressionOptions = {
  "wal-compression": {
    env: "BACKUP_WAL_COMPRESSION",
    type: "choice",
    choices: ["zstd", "gzip", "none"],
    default: "zstd",
    group: "Backup",
    help: "Compression of newly archived WAL. Readers accept all of them.",
  },
  "wal-compression-level": {
    env: "BACKUP_WAL_COMPRESSION_LEVEL",
    type: "integer",
    min: -7,
    max: 19,
    group: "Backup",
    unset: "1 for zstd, 4 for gzip",
    example: "3",
    help: "Compression level of newly archived WAL: -7 (fastest) to 19 for zstd, 1 to 9 for gzip.",
  },
} as const satisfies OptionTable;

/** What expiry keeps. */
export const retentionOptions = {
  "retention-days": {
    env: "BACKUP_RETENTION_DAYS",
    type: "integer",
    min: 1,
    max: 36_500,
    default: 30,
    group: "Backup",
    help: "Recovery window: every instant of that many days can be restored.",
  },
  "retention-count": {
    env: "BACKUP_RETENTION_COUNT",
    type: "integer",
    min: 1,
    max: 10_000,
    default: 4,
    group: "Backup",
    help: "At least so many base backups are kept, however old they are.",
  },
} as const satisfies OptionTable;

/** The zone for times that are given without an offset. */
export const timezoneOptions = {
  timezone: {
    env: "BACKUP_TIMEZONE",
    type: "string",
    placeholder: "ZONE",
    group: "Backup",
    unset: "the machine's",
    example: "Europe/Berlin",
    help: "Time zone (IANA name) of times that are given without an offset.",
  },
} as const satisfies OptionTable;

/** Every option with a variable that several binaries share. `docs/configuration.md` lists them in this order. */
export const backupOptions = {
  ...jobsOptions,
  ...tempOptions,
  ...backupCompressionOptions,
  ...walCompressionOptions,
  ...retentionOptions,
  ...timezoneOptions,
} as const satisfies OptionTable;
