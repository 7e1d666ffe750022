import { existsSync, readFileSync } from "node:fs";
import { writeMetricsFile, type Metric } from "@soar/app-kit";
import type { FinishedReport } from "./describe-report.ts";

export interface RunFacts {
  readonly failed: boolean;
  readonly now: Date;
}

const LAST_SUCCESS = "backup_verify_last_success_timestamp_seconds";

/** A run that failed keeps what the file says of the last one that did not: its age is what alarms. */
export function tellMetrics(path: string | undefined, report: FinishedReport | undefined, { failed, now }: RunFacts): void {
  if (path === undefined) return;
  const seconds = now.getTime() / 1000;
  const success = failed ? lastSuccess(path) : seconds;
  writeMetricsFile(path, [
    { name: "backup_verify_last_run_timestamp_seconds", help: "End of the last verification, seconds since 1970.", value: seconds },
    { name: "backup_verify_last_run_failed", help: "1 when the last verification found an error, or could not look.", value: failed ? 1 : 0 },
    ...(success === undefined ? [] : [{ name: LAST_SUCCESS, help: "End of the last verification without an error, seconds since 1970.", value: success }]),
    ...(report === undefined ? [] : gaugesOf(report, seconds)),
  ]);
}

function lastSuccess(path: string): number | undefined {
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const value = new RegExp(`^${LAST_SUCCESS} (\\S+)$`, "m").exec(before)?.[1];
  return value === undefined ? undefined : Number(value);
}

function gaugesOf(report: FinishedReport, now: number): Metric[] {
  const age = (instant: string | undefined): number | undefined => (instant === undefined ? undefined : Math.max(0, now - Date.parse(instant) / 1000));
  const findings = (["error", "warning", "notice"] as const).map((severity) => ({
    name: "backup_verify_findings",
    help: "Findings of the last verification.",
    labels: { severity },
    value: report.findings.filter((finding) => finding.severity === severity).length,
  }));
  const gauges: readonly (readonly [string, string, number | undefined])[] = [
    ["backup_verify_duration_seconds", "Time that the last verification took.", report.durationMs / 1000],
    ["backup_verify_read_bytes", "Stored bytes that the last verification read.", report.readBytes],
    ["backup_verify_backups", "Backups that the last verification looked at.", report.backups.length],
    ["backup_verify_wal_segments", "WAL segments that the last verification looked at.", report.wal.segments],
    ["backup_verify_base_age_seconds", "Age of the newest base backup.", age(report.newestBackupAt)],
    ["backup_verify_archive_age_seconds", "Time since WAL was last stored.", age(report.lastArchivedAt)],
    ["backup_verify_unread_age_seconds", "Time since the bytes that were read longest ago were compared.", report.unreadSince === undefined ? 0 : age(report.unreadSince)],
    ["backup_verify_window_holes", "Holes in what can be restored.", holesOf(report)],
  ];
  return [...findings, ...gauges.flatMap(([name, help, value]) => (value === undefined ? [] : [{ name, help, value }]))];
}

function holesOf({ window }: FinishedReport): number | undefined {
  return window?.timelines.flatMap(({ ranges }) => ranges).filter(({ hole }) => hole !== undefined).length;
}
