import { formatDuration, formatRate, formatSize } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import { controlCommand, describeFence, describeSubscriptions, type RestoreReport } from "@soar/restore";
import { describeTarget } from "@soar/restore/plan";
import type { Prepared } from "./prepare.ts";

/** One line for the log. */
export function summarize({ outcome, plan, dataDir }: RestoreReport): string {
  return `restore completed: backup ${plan.backup.label}, asked for ${describeTarget(plan.target)}, reached ${reachedText(outcome)} on timeline ${outcome.timeline} in ${dataDir}`;
}

/** Asked, reached, lost, and what to do now. */
export function reportText(report: RestoreReport, prepared: Pick<Prepared, "appServices">): string {
  const { plan, outcome, fetchMs, recoverMs, checks } = report;
  const last = plan.resolved.lastReplayed;
  const lines = [
    ["asked", describeTarget(plan.target)],
    ["reached", `${reachedText(outcome)}, as planned`],
    [
      "last commit",
      last === undefined
        ? (outcome.lastCommitTime?.toISOString() ?? "none since the backup")
        : formatTargetTime(last.time),
    ],
    ["lost", lostText(report)],
    ["timeline", `${outcome.timeline}${outcome.kind === "promoted" ? ", begun by this restore" : ""}`],
    [
      "fetched",
      `${formatSize(plan.fetchBytes.backup)} in ${formatDuration(fetchMs)} (${formatRate(plan.backup.sizes.database / (fetchMs / 1000))} of database)`,
    ],
    ["replayed", `${outcome.restoredFiles} WAL files in ${formatDuration(recoverMs)}`],
    ["old data", report.keptAs === undefined ? undefined : `kept as ${report.keptAs}`],
    ["saved", report.savedWal === undefined ? undefined : `WAL that was not archived: ${report.savedWal}`],
    ["checked", checks === undefined ? undefined : `${checks.databases} databases can be entered`],
    [
      "warning",
      checks === undefined || checks.otherCollation.length === 0
        ? undefined
        : `this host sorts text in another way than the source in ${checks.otherCollation.join(", ")}: REINDEX what is indexed by text, then ALTER DATABASE ... REFRESH COLLATION VERSION`,
    ],
    [
      "warning",
      checks === undefined || checks.unloggedTables === 0
        ? undefined
        : `${checks.unloggedTables} unlogged tables came back empty: their rows are in no backup`,
    ],
    ...(checks?.findings ?? []).map((finding) => ["warning", finding] as const),
    ["server", serverText(report)],
    ["copy", report.fenced ? `acts on nobody: ${describeFence(plan.backup, checks?.subscriptions)}` : undefined],
    ...nextSteps(report, prepared).map((step) => ["next", step] as const),
  ] as const;
  return lines.flatMap(([name, text]) => (text === undefined ? [] : [`${`${name}:`.padEnd(16)}${text}`])).join("\n");
}

function reachedText({ reachedLsn }: RestoreReport["outcome"]): string {
  return reachedLsn === undefined ? "the target" : formatLsn(reachedLsn);
}

function lostText({ plan, keptAs }: RestoreReport): string {
  const { firstLeftOut } = plan.resolved;
  if (plan.target.kind !== "latest")
    return firstLeftOut === undefined
      ? "everything behind the target, as asked"
      : `everything from the commit of ${formatTargetTime(firstLeftOut.time)} on, as asked; its WAL stays in the repository`;
  return keptAs === undefined
    ? "only what was committed after that and never reached the repository"
    : "nothing that the repository or the old disk held";
}

function serverText({ outcome, dataDir, logFile, control, privateDir, startedServices }: RestoreReport): string {
  if (outcome.kind === "paused" && privateDir !== undefined)
    return `paused in ${dataDir}, reachable only through the socket in ${privateDir}`;
  if (outcome.kind !== "promoted") return `${outcome.kind} in ${dataDir}; its log: ${logFile ?? ""}`;
  const by =
    control.kind === "systemd" ? `, run by ${control.unit}` : logFile === undefined ? "" : `; its log: ${logFile}`;
  return `takes writes in ${dataDir}${by}${startedServices.length === 0 ? "" : `; started again: ${startedServices.join(", ")}`}`;
}

/** What the operator has to do, in order, with the command where there is one. */
function nextSteps(report: RestoreReport, { appServices }: Pick<Prepared, "appServices">): string[] {
  const { outcome, dataDir, fenced, keptAs, privateDir, startedServices } = report;
  if (outcome.kind === "paused")
    return [
      `look at it${privateDir === undefined ? "" : `: psql -h ${privateDir}`}; when it is what you want: SELECT pg_wal_replay_resume(), then give the same command again, which finishes the restore`,
    ];
  if (outcome.kind === "shut-down")
    return ["every start ends at the target again; give the command again with --target-action promote to open it"];
  const steps = fenced
    ? [`it is a copy; when it is to take the place of its source: soar-restore adopt --data-dir ${dataDir}`]
    : ["take a base backup now, the new timeline has none: soar-base-backup", ...subscriptionSteps(report)];
  if (startedServices.length === 0 && appServices.length > 0)
    steps.push(`start the applications: systemctl start ${appServices.join(" ")}`);
  steps.push("replication slots do not come back: make those that are needed again");
  if (keptAs !== undefined)
    steps.push(`when nobody needs the old data any more: soar-restore discard-old --data-dir ${dataDir}`);
  return steps;
}

/** A publisher sends nothing twice: what came from it behind the end of recovery comes from nobody. */
function subscriptionSteps({ checks }: RestoreReport): string[] {
  const names = describeSubscriptions(checks?.subscriptions ?? []);
  if (names === "") return [];
  return [
    `compare with the publishers what came from them after the instant that was restored: they do not send it again (${names})`,
  ];
}

/** The report for programs. */
export function reportAsJson(report: RestoreReport): unknown {
  const { plan, outcome, control, dataDir, ...rest } = report;
  return {
    version: 1,
    backup: plan.backup.label,
    target: plan.target,
    plannedLsn: formatLsn(plan.resolved.stopLsn),
    reachedLsn: outcome.reachedLsn === undefined ? undefined : formatLsn(outcome.reachedLsn),
    lastCommit: plan.resolved.lastReplayed && formatTargetTime(plan.resolved.lastReplayed.time),
    firstLeftOut: plan.resolved.firstLeftOut && formatTargetTime(plan.resolved.firstLeftOut.time),
    timeline: outcome.timeline,
    outcome: outcome.kind,
    restoredFiles: outcome.restoredFiles,
    dataDir,
    stopCommand: controlCommand(control, "stop", dataDir).join(" "),
    ...rest,
  };
}
