import { ARCHIVER_METRICS } from "./table/archiver-metrics.ts";
import { BASE_BACKUP_METRICS } from "./table/base-backup-metrics.ts";
import { DRILL_METRICS } from "./table/drill-metrics.ts";
import type { MetricTable } from "./metric-row.ts";
import { VERIFY_METRICS } from "./table/verify-metrics.ts";

/**
 * One row per metric, below the command that writes it. Names and types in the programs, their files and
 * `docs/metrics.md` come from it: a metric that has no row does not compile. Names are never changed, because
 * somebody's alerts and dashboards have them; no two commands share one, because one directory of the textfile
 * collector may hold all files.
 */
export const METRICS = {
  "soar-wal-archive": ARCHIVER_METRICS,
  "soar-base-backup": BASE_BACKUP_METRICS,
  "soar-backup-verify": VERIFY_METRICS,
  "soar-backup-verify drill": DRILL_METRICS,
} as const satisfies Readonly<Record<string, MetricTable>>;

/** A command that writes metrics. */
export type Writer = keyof typeof METRICS;

/** The setting that names the file of each. */
export const METRICS_FILE_VARIABLES: Readonly<Record<Writer, string>> = {
  "soar-wal-archive": "BACKUP_ARCHIVER_METRICS_FILE",
  "soar-base-backup": "BACKUP_METRICS_FILE",
  "soar-backup-verify": "BACKUP_VERIFY_METRICS_FILE",
  "soar-backup-verify drill": "BACKUP_DRILL_METRICS_FILE",
};

/** Names of the metrics that a command writes. */
export type MetricNameOf<W extends Writer> = W extends Writer ? keyof (typeof METRICS)[W] & string : never;

export type MetricName = MetricNameOf<Writer>;

/** The row of a metric. */
export type RowOf<N extends MetricName> = {
  [W in Writer]: N extends keyof (typeof METRICS)[W] ? (typeof METRICS)[W][N] : never;
}[Writer];
