import { jobsOptions, notifyOptions, postgresOptions, storageOptions, tempOptions, timezoneOptions, type Config, type OptionTable } from "@soar/app-kit";

/** Options of `drill`. */
export const drillOptions = {
  ...storageOptions,
  ...jobsOptions,
  ...tempOptions,
  ...timezoneOptions,
  ...postgresOptions,
  ...notifyOptions,
  at: { type: "string", default: "latest", group: "Drill", placeholder: "WHEN", help: "State to restore: latest, random (any instant of the window), or a time like 2025-01-10 14:30:00." },
  seed: { type: "integer", min: 0, max: 0xff_ff_ff_ff, group: "Drill", unset: "a new one, which is printed", help: "With --at random: the same seed chooses the same instant of the same window." },
  database: { type: "string", group: "Drill", placeholder: "DB", unset: "the whole cluster", help: "Restore the files of this database and the shared catalogs only." },
  sql: { env: "BACKUP_DRILL_SQL", type: "string", group: "Drill", placeholder: "FILE", unset: "no queries", example: "/etc/soar/drill.sql", help: "Queries to run on what was restored, each with what is expected of it or how it compares with production." },
  command: {
    env: "BACKUP_DRILL_COMMAND",
    type: "string",
    group: "Drill",
    placeholder: "CMD",
    unset: "no command",
    example: "/usr/local/bin/test-application",
    help: "Command for the shell, run with PGHOST, PGPORT, PGUSER, PGDATABASE and DATABASE_URL of the drill. The drill fails when it fails.",
  },
  keep: { type: "boolean", default: false, group: "Drill", help: "Leave the restored server running, to look around, and say how to reach and how to remove it." },
  report: { type: "string", group: "Drill", placeholder: "FILE", unset: "in the directory of --state-dir", help: "Where the report goes: a page FILE.html, and FILE.json beside it." },
  check: { type: "string", group: "Drill", placeholder: "FILE", help: "Restore nothing: prove that this report (.json), and the page beside it, were not edited since." },
  "state-dir": { env: "BACKUP_DRILL_STATE_DIR", type: "string", placeholder: "DIR", group: "Drill", default: "/var/lib/soar/drill", help: "Directory of this machine that keeps the reports." },
  owner: { type: "string", default: "postgres", group: "Drill", placeholder: "USER", help: "Who runs the scratch server and the command, when this runs as root." },
  "bin-dir": { env: "BACKUP_PG_BIN_DIR", type: "string", group: "Drill", placeholder: "DIR", unset: "where packages install them", help: "Directory of PostgreSQL's programs." },
  "metrics-file": {
    env: "BACKUP_DRILL_METRICS_FILE",
    type: "string",
    placeholder: "FILE",
    group: "Notification",
    unset: "no metrics",
    example: "/var/lib/prometheus/node-exporter/soar-backup-drill.prom",
    help: "File for the textfile collector of Prometheus' node_exporter, replaced after every run.",
  },
} as const satisfies OptionTable;

export type DrillConfig = Config<typeof drillOptions>;
