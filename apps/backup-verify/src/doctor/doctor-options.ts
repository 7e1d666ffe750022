import {
  notifyOptions,
  postgresOptions,
  retentionOptions,
  storageOptions,
  tempOptions,
  type Config,
  type OptionTable,
} from "@soar/app-kit";
import { drillOptions } from "../drill/drill-options.ts";
import { verifyOptions } from "../options.ts";

const { "metrics-file": backupMetrics, "notify-on": _, ...tellOptions } = notifyOptions;

/** Options of `doctor`. What has no flag belongs to the other programs, which read the same env file. */
export const doctorOptions = {
  ...storageOptions,
  ...postgresOptions,
  ...retentionOptions,
  ...tempOptions,
  ...tellOptions,
  "send-test-notice": {
    type: "boolean",
    default: false,
    group: "Doctor",
    help: "Send a notice that says that it is a test, to everybody who would be told of a failure.",
  },
  spool: {
    env: "BACKUP_SPOOL_DIR",
    type: "string",
    placeholder: "DIR",
    default: "/var/lib/soar/wal-archive",
    group: "Doctor",
    help: "Directory of the resident archiver.",
  },
  socket: {
    env: "BACKUP_ARCHIVER_SOCKET",
    type: "string",
    placeholder: "PATH",
    group: "Doctor",
    unset: "socket in the spool directory",
    example: "/run/soar/archiver",
    help: "Socket of the resident archiver.",
  },
  "bin-dir": {
    env: "BACKUP_PG_BIN_DIR",
    type: "string",
    placeholder: "DIR",
    group: "Doctor",
    unset: "where packages install them",
    help: "Directory of PostgreSQL's programs.",
  },
  "archiver-metrics-file": {
    env: "BACKUP_ARCHIVER_METRICS_FILE",
    type: "string",
    flag: false,
    placeholder: "FILE",
    group: "Doctor",
    help: "Metrics of the archiver; whether they can be written is looked at.",
  },
  "backup-metrics-file": { ...backupMetrics, flag: false, group: "Doctor" },
  "verify-metrics-file": { ...verifyOptions["metrics-file"], flag: false, group: "Doctor" },
  "drill-metrics-file": { ...drillOptions["metrics-file"], flag: false, group: "Doctor" },
  "verify-state-dir": { ...verifyOptions["state-dir"], flag: false, group: "Doctor" },
  "drill-state-dir": { ...drillOptions["state-dir"], flag: false, group: "Doctor" },
  "drill-sql": { ...drillOptions.sql, flag: false, group: "Doctor" },
  "drill-command": { ...drillOptions.command, flag: false, group: "Doctor" },
  "round-trip": {
    type: "boolean",
    default: true,
    group: "Doctor",
    help: "Leave out the commit whose way into the bucket is watched.",
  },
  "round-trip-timeout": {
    type: "duration",
    min: 1000,
    default: "60s",
    group: "Doctor",
    help: "How long a segment may be on its way to the bucket.",
  },
  quiet: { type: "boolean", default: false, group: "Doctor", help: "Print only what is not as it should be." },
} as const satisfies OptionTable;

export type DoctorConfig = Config<typeof doctorOptions>;
