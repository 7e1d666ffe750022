import { sample, updateMetricsFile, type SampleOf } from "@soar/metrics";
import type { Depth, VerifyReport } from "@soar/verify";
import type { FinishedReport } from "./describe-report.ts";

type Level = Depth["level"];
/** What each level looks at: everything that these do. */
const COVERED: Readonly<Record<Level, readonly Level[]>> = {
  quick: ["quick"],
  stored: ["quick", "stored"],
  sample: ["quick", "sample"],
  full: ["quick", "stored", "sample", "full"],
};

export interface RunFacts {
  readonly level: Level;
  readonly failed: boolean;
  readonly now: Date;
}

/**
 * What alarms is kept by level: a look at the listings must not silence what reading the bytes has found. A run counts for its own
 * level and for those that look at less. One that failed keeps what the file says of the last that did not: its age is what
 * alarms.
 */
export async function tellMetrics(
  path: string | undefined,
  report: FinishedReport | undefined,
  run: RunFacts,
): Promise<void> {
  if (path === undefined) return;
  await updateMetricsFile("soar-backup-verify", path, [
    ...COVERED[run.level].flatMap((level) => alarmsOf(report, run, level)),
    ...(report === undefined ? [] : measuredIn(report, run)),
  ]);
}

/** Findings of a run that could not look are not known. */
function alarmsOf(
  report: FinishedReport | undefined,
  { failed, now }: RunFacts,
  level: Level,
): SampleOf<"soar-backup-verify">[] {
  const findings = (["error", "warning", "notice"] as const).map((severity) =>
    sample("backup_verify_findings", report?.findings.filter((finding) => finding.severity === severity).length, {
      level,
      severity,
    }),
  );
  return [
    sample("backup_verify_last_run_timestamp_seconds", now.getTime() / 1000, { level }),
    sample("backup_verify_last_run_failed", failed ? 1 : 0, { level }),
    sample("backup_verify_last_success_timestamp_seconds", failed ? undefined : now.getTime() / 1000, { level }),
    ...findings,
  ];
}

function measuredIn(report: FinishedReport, { level, now }: RunFacts): SampleOf<"soar-backup-verify">[] {
  // A look at the listings compares nothing, and bytes as they are stored may hold what was never right.
  const comparedAt = level === "quick" || level === "stored" ? undefined : (report.unreadSince ?? now.toISOString());
  return [
    sample("backup_verify_duration_seconds", report.durationMs / 1000),
    sample("backup_verify_read_bytes", report.readBytes),
    sample("backup_verify_backups", report.backups.length),
    sample("backup_verify_wal_segments", report.wal.segments),
    sample("backup_verify_base_timestamp_seconds", secondsOf(report.newestBackupAt)),
    sample("backup_verify_archive_timestamp_seconds", secondsOf(report.lastArchivedAt)),
    sample("backup_verify_unread_timestamp_seconds", secondsOf(comparedAt)),
    sample("backup_verify_window_holes", holesIn(report)),
  ];
}

function holesIn({ window }: VerifyReport): number | undefined {
  return window?.timelines.flatMap(({ ranges }) => ranges).filter(({ hole }) => hole !== undefined).length;
}

function secondsOf(instant: string | undefined): number | undefined {
  return instant === undefined ? undefined : Date.parse(instant) / 1000;
}
