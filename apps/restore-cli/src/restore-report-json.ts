import { controlCommand, type RestoreReport } from "@soar/restore";
import { formatLsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import type { FinishedEarlier } from "./finished-earlier.ts";

/** The report for programs. */
export function reportAsJson(report: RestoreReport, finished?: FinishedEarlier): unknown {
  const { backup, target, reached, work, outcome, control, dataDir, ...rest } = report;
  const { lsn, plannedLsn, lastCommit, firstLeftOut, leftOutOnDisk, stop } = reached;
  return {
    version: 1,
    backup: finished?.backup ?? backup.label,
    ...(finished === undefined ? {} : { finishedEarlier: { startedAt: finished.startedAt } }),
    target,
    plannedLsn: formatLsn(plannedLsn),
    reachedLsn: lsn === undefined ? undefined : formatLsn(lsn),
    stop,
    lastCommit: lastCommit === undefined ? undefined : formatTargetTime(lastCommit),
    firstLeftOut: firstLeftOut === undefined ? undefined : formatTargetTime(firstLeftOut),
    leftOutOnDisk,
    timeline: outcome.timeline,
    outcome: outcome.kind,
    fetched: work.fetched,
    fetchMs: work.fetchMs,
    restoredFiles: work.replayedFiles,
    recoverMs: work.recoverMs,
    dataDir,
    stopCommand: controlCommand(control, "stop", dataDir).join(" "),
    ...rest,
  };
}
