import { existsSync, readFileSync } from "node:fs";
import { writeMetricsFile, type Metric } from "@soar/app-kit";
import type { Depth } from "@soar/verify";
import type { FinishedReport } from "./describe-report.ts";

type Level = Depth["level"];
/** Each looks at everything that those before it look at. */
const LEVELS: readonly Level[] = ["quick", "sample", "full"];

export interface RunFacts {
  readonly level: Level;
  readonly failed: boolean;
  readonly now: Date;
}

const UNREAD = "backup_verify_unread_timestamp_seconds";
const LAST_SUCCESS = "backup_verify_last_success_timestamp_seconds";
const HELP: Readonly<Record<string, string>> = {
  backup_verify_last_run_timestamp_seconds: "End of the last verification, seconds since 1970.",
  backup_verify_last_run_failed: "1 when the last verification found an error, or could not look.",
  [LAST_SUCCESS]: "End of the last verification without an error, seconds since 1970.",
  backup_verify_findings: "Findings of the last verification.",
};

/**
 * What alarms is kept by level: a look at the listings must not silence what reading the bytes has found. A run counts for its own
 * level and for those that look at less. One that failed keeps what the file says of the last that did not: its age is what
 * alarms.
 */
export function tellMetrics(path: string | undefined, report: FinishedReport | undefined, run: RunFacts): void {
  if (path === undefined) return;
  const before = readSeries(path);
  const told = new Map(LEVELS.slice(0, LEVELS.indexOf(run.level) + 1).flatMap((level) => seriesOf(report, run, level)));
  const success = run.failed
    ? []
    : [...told.keys()].flatMap((key) =>
        key.startsWith("backup_verify_last_run_failed{")
          ? [[key.replace("backup_verify_last_run_failed", LAST_SUCCESS), run.now.getTime() / 1000] as const]
          : [],
      );
  const series = new Map([...before, ...told, ...success]);
  const alarms = Object.entries(HELP).flatMap(([name, help]) =>
    [...series]
      .filter(([key]) => key.startsWith(`${name}{`))
      .map(([key, value]): Metric => ({ name, help, value, labels: labelsOf(key) })),
  );
  const gauges = Object.entries(GAUGES).flatMap(([name, { help, of }]): Metric[] => {
    // A look at the listings compares nothing.
    const value =
      (report === undefined || (run.level === "quick" && name === UNREAD) ? undefined : of(report, run.now)) ??
      before.get(name);
    return value === undefined ? [] : [{ name, help, value }];
  });
  writeMetricsFile(path, [...alarms, ...gauges]);
}

/** Of a level: by how a sample of the exposition begins. Findings of a run that could not look are not known. */
function seriesOf(report: FinishedReport | undefined, { failed, now }: RunFacts, level: Level): [string, number][] {
  const findings = (["error", "warning", "notice"] as const).map((severity): [string, number] => [
    `backup_verify_findings{level="${level}",severity="${severity}"}`,
    report?.findings.filter((finding) => finding.severity === severity).length ?? 0,
  ]);
  return [
    [`backup_verify_last_run_timestamp_seconds{level="${level}"}`, now.getTime() / 1000],
    [`backup_verify_last_run_failed{level="${level}"}`, failed ? 1 : 0],
    ...(report === undefined ? [] : findings),
  ];
}

/** Samples of a file that this program wrote; none where there is none. */
function readSeries(path: string): Map<string, number> {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  return new Map(
    [...text.matchAll(/^([a-z_]+(?:\{[^}]*\})?) (\S+)$/gm)].map(([, key = "", value]) => [key, Number(value)]),
  );
}

function labelsOf(key: string): Record<string, string> {
  return Object.fromEntries(
    [...key.matchAll(/([a-z]+)="([a-z]+)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );
}

interface Gauge {
  readonly help: string;
  readonly of: (report: FinishedReport, now: Date) => number | undefined;
}

const secondsOf = (instant: string | undefined): number | undefined =>
  instant === undefined ? undefined : Date.parse(instant) / 1000;

/** Instants, not ages: an age would stand still until the next run. */
const GAUGES: Readonly<Record<string, Gauge>> = {
  backup_verify_duration_seconds: {
    help: "Time that the last verification took.",
    of: ({ durationMs }) => durationMs / 1000,
  },
  backup_verify_read_bytes: { help: "Stored bytes that the last verification read.", of: ({ readBytes }) => readBytes },
  backup_verify_backups: { help: "Backups that the last verification looked at.", of: ({ backups }) => backups.length },
  backup_verify_wal_segments: {
    help: "WAL segments that the last verification looked at.",
    of: ({ wal }) => wal.segments,
  },
  backup_verify_base_timestamp_seconds: {
    help: "End of the newest base backup, seconds since 1970.",
    of: ({ newestBackupAt }) => secondsOf(newestBackupAt),
  },
  backup_verify_archive_timestamp_seconds: {
    help: "When WAL was last stored, seconds since 1970.",
    of: ({ lastArchivedAt }) => secondsOf(lastArchivedAt),
  },
  [UNREAD]: {
    help: "When the bytes that wait longest were last compared, seconds since 1970.",
    of: ({ unreadSince }, now) => (unreadSince === undefined ? now.getTime() / 1000 : secondsOf(unreadSince)),
  },
  backup_verify_window_holes: {
    help: "Holes in what can be restored.",
    of: ({ window }) =>
      window?.timelines.flatMap(({ ranges }) => ranges).filter(({ hole }) => hole !== undefined).length,
  },
};
