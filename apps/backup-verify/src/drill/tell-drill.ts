import { hostname } from "node:os";
import { notify, tellEach, type Log } from "@soar/app-kit";
import { isSoarError, messageOf } from "@soar/errors";
import { sample, updateMetricsFile, type SampleOf } from "@soar/metrics";
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
  await tellEach(
    () =>
      notify(config, {
        outcome: "success",
        subject: `${hostname()}: restore drill passed`,
        text: report === undefined ? "" : summarize(report),
      }),
    () => tellMetrics(config.metricsFile, report),
  );
}

/** The failure of the run is what it ends with; that telling it failed as well stands in the log. */
export async function tellFailure(
  { config, log }: Telling,
  report: DrillReport | undefined,
  error: unknown,
): Promise<void> {
  const message = messageOf(error);
  const hint = isSoarError(error) && error.hint !== undefined ? `\n${error.hint}` : "";
  try {
    await tellEach(
      () =>
        notify(config, {
          outcome: "failure",
          subject: `${hostname()}: restore drill failed`,
          text: `${message}${hint}${report === undefined ? "" : `\n\n${summarize(report)}`}`,
        }),
      () => tellMetrics(config.metricsFile, report),
    );
  } catch (failure) {
    if (!isSoarError(failure)) throw failure;
    log.error(`not everybody was told that the drill failed: ${failure.message}`);
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

async function tellMetrics(path: string | undefined, report: DrillReport | undefined): Promise<void> {
  if (path === undefined) return;
  await updateMetricsFile("soar-backup-verify drill", path, [
    ...(report === undefined ? [] : measuredIn(report)),
    sample("backup_drill_last_run_timestamp_seconds", Date.now() / 1000),
    sample("backup_drill_last_run_failed", report?.outcome === "passed" ? 0 : 1),
  ]);
}

/** What could not be measured keeps its last value: the age of the last success is what alarms. */
function measuredIn({
  outcome,
  endedAt,
  rto,
  rpo,
  timings,
  tested,
  checks,
}: DrillReport): SampleOf<"soar-backup-verify drill">[] {
  return [
    sample(
      "backup_drill_last_success_timestamp_seconds",
      outcome === "passed" ? Date.parse(endedAt) / 1000 : undefined,
    ),
    sample("backup_drill_rto_seconds", rto?.seconds),
    sample("backup_drill_rpo_seconds", rpo?.seconds),
    sample("backup_drill_download_seconds", inSeconds(timings.downloadMs)),
    sample("backup_drill_extract_seconds", inSeconds(timings.extractMs)),
    sample("backup_drill_replay_seconds", inSeconds(timings.replayMs)),
    sample("backup_drill_duration_seconds", inSeconds(timings.totalMs)),
    sample("backup_drill_backup_age_seconds", tested?.ageSeconds),
    sample("backup_drill_failed_checks", checks.filter(({ outcome: of }) => of === "failed").length),
  ];
}

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
