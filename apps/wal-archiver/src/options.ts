import { jobsOptions, postgresOptions, storageOptions, walCompressionOptions } from "@soar/app-kit";
import { DEFAULT_SPOOL_DIR } from "./default-spool.ts";

/** Where the resident archiver and its callers meet. */
export const spoolOptions = {
  spool: {
    env: "BACKUP_SPOOL_DIR",
    type: "string",
    placeholder: "DIR",
    default: DEFAULT_SPOOL_DIR,
    group: "Archiver",
    help: "Directory of the resident archiver's acknowledgements, socket and counters. It belongs to the server's user.",
  },
  socket: {
    env: "BACKUP_ARCHIVER_SOCKET",
    type: "string",
    placeholder: "PATH",
    group: "Archiver",
    unset: "socket in the spool directory",
    example: "/run/soar/archiver",
    help: "Socket of the resident archiver.",
  },
} as const;

/** What the archiver and a single archive_command share. */
export const archiveOptions = {
  ...storageOptions,
  ...walCompressionOptions,
  ...spoolOptions,
  "log-archive": {
    env: "BACKUP_LOG_ARCHIVE",
    type: "boolean",
    default: false,
    group: "Backup",
    help: "Log every archived file; PostgreSQL writes the line to its own log. For debugging.",
  },
  "metrics-file": {
    env: "BACKUP_ARCHIVER_METRICS_FILE",
    type: "string",
    placeholder: "FILE",
    group: "Archiver",
    unset: "no file",
    example: "/var/lib/prometheus/node-exporter/soar-wal.prom",
    help: "Write the metrics to this file, for the textfile collector of node_exporter; without a resident archiver every archive_command does it.",
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

const dataDirectory = {
  env: "PGDATA",
  type: "string",
  placeholder: "DIR",
  group: "Archiver",
  example: "/var/lib/postgresql/15/main",
  help: "Data directory of the server whose WAL is archived.",
} as const;

export const daemonOptions = {
  ...archiveOptions,
  ...jobsOptions,
  ...postgresOptions,
  listen: {
    env: "BACKUP_ARCHIVER_LISTEN",
    type: "string",
    placeholder: "HOST:PORT",
    group: "Archiver",
    unset: "no metrics over HTTP",
    example: "127.0.0.1:9187",
    help: "Serve /metrics for Prometheus and /healthz.",
  },
  "tail-interval": {
    env: "BACKUP_TAIL_INTERVAL",
    type: "duration",
    allowOff: true,
    min: 100,
    default: "1s",
    group: "Archiver",
    help: "Ship new WAL of the unfinished segment this often, while there is any. This much is lost with the machine at most.",
  },
  synchronous: {
    env: "BACKUP_SYNCHRONOUS",
    type: "boolean",
    default: false,
    group: "Archiver",
    help: "Confirm WAL to the server as soon as it is in the bucket, piece after piece, so that COMMIT waits for it with synchronous_standby_names = 'soar'.",
  },
  "tail-slot": {
    env: "BACKUP_TAIL_SLOT",
    type: "string",
    group: "Archiver",
    unset: "no slot",
    example: "soar",
    help: "Existing physical replication slot for the tail. The server then keeps WAL for a stopped archiver until its disk is full.",
  },
  "data-dir": { ...dataDirectory, required: true },
} as const;

const { required: _, ...bucketIfKnown } = storageOptions.bucket;

/** Nothing is required: what is not known is said. */
export const statusOptions = {
  ...storageOptions,
  bucket: bucketIfKnown,
  ...spoolOptions,
  ...postgresOptions,
  "data-dir": dataDirectory,
} as const;
