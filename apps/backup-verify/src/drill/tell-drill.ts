import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { notify, writeMetricsFile, type Log, type Metric } from "@soar/app-kit";
import { isSoarError } from "@soar/errors";
import type { DrillReport } from "@soar/verify";
import type { DrillConfig } from "./drill-options.ts";

interface Telling {
  readonly config: DrillConfig;
  readonly log: Log;
}

/** Runs a drill and tells what it came to: metrics, mail, webhook. When only the telling fails, the run fails with that. */
export async function reportDrillOutcome(
  { config, log }: Telling,
  work: (onReport: (report: DrillReport) => void) => Promise<void>,
): Promise<void> {
  let report: DrillReport | undefined;
  try {
    await work((finished) => (report = finished));
  } catch (error) {
    await tellFailure({ config, log }, report, error);
    throw error;
  }
  tellMetrics(config.metricsFile, report);
  await notify(config, {
    outcome: "success",
    subject: `${hostname()}: restore drill passed`,
    text: report === undefined ? "" : summarize(report),
  });
}

/** The failure of the run is what it ends with; that telling it failed as well stands in the log. */
async function tellFailure({ config, log }: Telling, report: DrillReport | undefined, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  const hint = isSoarError(error) && error.hint !== undefined ? `\n${error.hint}` : "";
  try {
    tellMetrics(config.metricsFile, report);
    await notify(config, {
      outcome: "failure",
      subject: `${hostname()}: restore drill failed`,
      text: `${message}${hint}${report === undefined ? "" : `\n\n${summarize(report)}`}`,
    });
  } catch (failure) {
    if (!isSoarError(failure)) throw failure;
    log.error(`${failure.message}; so nobody was told that the drill failed`);
  }
}

function summarize({ tested, target, rto, rpo, integrity, issues, digest }: DrillReport): string {
  const lines = [
    `restored: backup ${tested?.label ?? "none"}, ${target.description}`,
    `RTO: ${rto === undefined ? "not measured" : `${rto.seconds} s`}, RPO: ${rpo === undefined ? "not measured" : `${rpo.seconds} s`}, data integrity: ${integrity}`,
    ...issues.map((issue) => `issue: ${issue}`),
    `digest of the report: ${digest}`,
  ];
  return lines.join("\n");
}

type Gauge = readonly [name: string, help: string, value: (report: DrillReport) => number | undefined];

/** Of the last drill in which they could be measured: their age is what alarms, and a failure must not take them away. */
const MEASURED: readonly Gauge[] = [
  [
    "backup_drill_last_success_timestamp_seconds",
    "End of the last drill that passed, seconds since 1970.",
    ({ outcome, endedAt }) => (outcome === "passed" ? Date.parse(endedAt) / 1000 : undefined),
  ],
  [
    "backup_drill_rto_seconds",
    "From the decision to restore until the server took connections.",
    ({ rto }) => rto?.seconds,
  ],
  [
    "backup_drill_rpo_seconds",
    "Commits that a loss of the server at the beginning of the drill would have cost, at the most.",
    ({ rpo }) => rpo?.seconds,
  ],
  [
    "backup_drill_download_seconds",
    "Time in which the backup was being downloaded.",
    ({ timings }) => inSeconds(timings.downloadMs),
  ],
  [
    "backup_drill_extract_seconds",
    "Time in which the backup was being extracted, beside the download.",
    ({ timings }) => inSeconds(timings.extractMs),
  ],
  ["backup_drill_replay_seconds", "Time in which WAL was replayed.", ({ timings }) => inSeconds(timings.replayMs)],
  ["backup_drill_duration_seconds", "Time that the whole drill took.", ({ timings }) => inSeconds(timings.totalMs)],
  [
    "backup_drill_backup_age_seconds",
    "Age of the backup that was restored, at the beginning of the drill.",
    ({ tested }) => tested?.ageSeconds,
  ],
  [
    "backup_drill_failed_checks",
    "Checks of the restored server that failed.",
    ({ checks }) => checks.filter(({ outcome }) => outcome === "failed").length,
  ],
];

function tellMetrics(path: string | undefined, report: DrillReport | undefined): void {
  if (path === undefined) return;
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const metrics = MEASURED.flatMap(([name, help, of]): Metric[] => {
    const value =
      (report === undefined ? undefined : of(report)) ?? new RegExp(`^${name} (\\S+)$`, "m").exec(before)?.[1];
    return value === undefined ? [] : [{ name, help, value: Number(value) }];
  });
  writeMetricsFile(path, [
    ...metrics,
    {
      name: "backup_drill_last_run_timestamp_seconds",
      help: "End of the last drill, seconds since 1970.",
      value: Date.now() / 1000,
    },
    {
      name: "backup_drill_last_run_failed",
      help: "1 when the last drill failed, or could not be carried out.",
      value: report?.outcome === "passed" ? 0 : 1,
    },
  ]);
}

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
