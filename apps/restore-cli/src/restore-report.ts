import { formatDuration, formatRate, formatSize } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import {
  describeChanged,
  describeFence,
  describeSubscriptions,
  type Counted,
  type FetchedWork,
  type FoundThere,
  type RestoreReport,
  type RestoreWork,
} from "@soar/restore";
import { describeTarget } from "@soar/restore/plan";
import { type FinishedEarlier, nothingRestored } from "./finished-earlier.ts";
import { byHand, leftText, localWalRows } from "./local-wal-texts.ts";
import { atTargetRows, hasGoneOn, pausedSteps } from "./paused-texts.ts";
import type { Prepared } from "./prepare.ts";

/** One line for the log. */
export function summarize(report: RestoreReport, finished?: FinishedEarlier): string {
  const { backup, target, outcome, dataDir } = report;
  if (finished !== undefined) return `${nothingRestored(finished)}, in ${dataDir}${leftText(report.localWal)}`;
  return `restore completed: backup ${backup.label}, asked for ${describeTarget(target)}, reached ${placeText(report)} on timeline ${outcome.timeline} in ${dataDir}${atTargetText(report)}${leftText(report.localWal)}`;
}

/** Asked, reached, lost, and what to do now. */
export function reportText(
  report: RestoreReport,
  prepared: Pick<Prepared, "appServices"> & { readonly timeline?: number | undefined },
  finished?: FinishedEarlier,
): string {
  const { outcome, checks } = report;
  const lines = [
    ["asked", describeTarget(report.target)],
    [
      "finished",
      finished === undefined
        ? undefined
        : `${nothingRestored(finished)}; to restore once more in its place: soar-restore forget --data-dir ${report.dataDir}, then the command`,
    ],
    ["reached", reachedText(report)],
    ["last commit", lastCommitText(report)],
    ["lost", finished === undefined ? lostText(report, prepared.timeline) : undefined],
    ["timeline", `${outcome.timeline}${outcome.kind === "promoted" ? ", begun by this restore" : ""}`],
    ...foundRows(report.foundThere),
    ...workRows(report.work),
    ["old data", keptText(report)],
    ["saved", report.savedWal === undefined ? undefined : `WAL that was not archived: ${report.savedWal}`],
    ...localWalRows(report.localWal),
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
    ...report.changedSettings.map(
      (one) => ["changed", `${describeChanged(one)}; ALTER SYSTEM RESET ${one.name} takes that back`] as const,
    ),
    ["server", serverText(report)],
    ...atTargetRows(report, prepared.appServices),
    ["copy", report.fenced ? `acts on nobody: ${describeFence(report.backup, checks?.subscriptions)}` : undefined],
    ...nextSteps(report, prepared).map((step) => ["next", step] as const),
  ] as const;
  return lines.flatMap(([name, text]) => (text === undefined ? [] : [`${`${name}:`.padEnd(16)}${text}`])).join("\n");
}

const AT_TARGET = {
  paused: "pauses and takes no writes",
  "shut-down": "was shut down",
  consistent: "takes readers",
} as const satisfies Record<Exclude<RestoreReport["outcome"]["kind"], "promoted">, string>;

function atTargetText({ outcome, paused }: RestoreReport): string {
  if (outcome.kind === "promoted") return "";
  return `, where the server ${hasGoneOn({ paused }) ? "paused, and was let go on" : AT_TARGET[outcome.kind]}`;
}

/** What was seen of an earlier run's files, and what was not. */
function foundRows(found: FoundThere | undefined): (readonly [string, string])[] {
  if (found === undefined) return [];
  if (found.kind === "unchanged")
    return [["found there", `${found.files} files, none of them changed since they were left`]];
  const { since, untouched, readFiles, readBytes, checksums, lessThere, doubts } = found;
  const known =
    since === undefined
      ? "nothing was noted of how its files were"
      : `${untouched} files are untouched since ${since === "at-target" ? "the target" : "recovery began"}`;
  const changed = checksums
    ? "each page of a relation has its checksum"
    : "without checksums nothing but the header is known to be that of a page";
  const judged = `none in use became zeros, what no WAL has changed since the backup is the backup's but for hints, no transaction has another end than there, and of the rest ${changed}`;
  return [
    [
      "found there",
      readFiles === 0
        ? `${known}, and no other is there`
        : `${known}; ${readFiles} changed ones were read (${formatSize(readBytes)}): ${judged}`,
    ],
    ...(lessThere.length === 0
      ? []
      : [
          [
            "not proved",
            `${lessThere.length} files are gone or shorter, as those of dropped and truncated tables are: ${someOf(lessThere)}`,
          ] as const,
        ]),
    ...(doubts.length === 0
      ? []
      : [
          [
            "not proved",
            `${doubts.length} files lack ends of transactions that the backup has, as those of a server do that has not written them yet: ${someOf(doubts.map(({ name }) => name))}`,
          ] as const,
        ]),
  ];
}

const SOME = 3;

function someOf(names: readonly string[]): string {
  return `${names.slice(0, SOME).join(", ")}${names.length > SOME ? ", ..." : ""}`;
}

/** What this run did, as it was counted. */
function workRows({ fetched, fetchMs, replayedFiles, recoverMs }: RestoreWork): (readonly [string, string])[] {
  return [
    [
      "fetched",
      fetched === undefined ? "nothing: an earlier run had fetched the backup" : fetchedText(fetched, fetchMs),
    ],
    [
      "replayed",
      `${replayedFiles} WAL files${recoverMs === undefined ? ", begun by an earlier run" : ` in ${formatDuration(recoverMs)}`}`,
    ],
  ];
}

function fetchedText({ receivedBytes, writtenBytes, keptBytes }: FetchedWork, fetchMs: Counted): string {
  const rate = formatRate((writtenBytes + keptBytes) / (fetchMs / 1000));
  const kept = keptBytes === 0 ? "" : `, ${formatSize(keptBytes)} were right already and stayed`;
  return `${formatSize(receivedBytes)} in ${formatDuration(fetchMs)} (${rate} of database); ${formatSize(writtenBytes)} written${kept}`;
}

function placeText({ reached: { lsn } }: RestoreReport): string {
  return lsn === undefined ? "the target" : formatLsn(lsn);
}

function reachedText(report: RestoreReport): string {
  const { lsn, plannedLsn, stop } = report.reached;
  if (lsn === plannedLsn) return `${formatLsn(lsn)}, as planned`;
  const planned = `planned was ${formatLsn(plannedLsn)}`;
  if (lsn !== undefined) return `${formatLsn(lsn)}, where the archive ends; ${planned}`;
  return `the target, by the server's own word${stop === undefined ? "" : `, '${stop}'`}; ${planned}`;
}

function lastCommitText({ reached: { lastCommit }, outcome }: RestoreReport): string {
  if (lastCommit !== undefined) return formatTargetTime(lastCommit);
  return outcome.kind === "promoted" ? "none since the backup" : "not told by a server that is still in recovery";
}

/** What an earlier run has kept may be the place's data of weeks ago. */
function keptText({ keptAs, keptEarlier }: RestoreReport): string | undefined {
  if (keptAs === undefined || keptEarlier === undefined) return keptAs === undefined ? undefined : `kept as ${keptAs}`;
  const { at, target } = keptEarlier;
  return `kept as ${keptAs} at ${at}, by an earlier run${target === undefined ? "" : ` that was asked for ${target}`}`;
}

/** @param timeline the one that was asked for by its number: others may hold more */
function lostText(report: RestoreReport, timeline: number | undefined): string {
  const { target, reached, keptAs, keptEarlier } = report;
  const { firstLeftOut, leftOutOnDisk } = reached;
  if (target.kind !== "latest")
    return firstLeftOut === undefined
      ? "everything behind the target, as asked"
      : `everything from the commit of ${formatTargetTime(firstLeftOut)} on, as asked; its WAL ${leftOutOnDisk ? "is not all in the repository: some is only in what was kept of the old data" : "stays in the repository"}`;
  const [of, others] =
    timeline === undefined
      ? ["", ""]
      : [` of timeline ${timeline}`, "; commits of other timelines are not in it, as asked, and stay where they are"];
  if (keptAs === undefined) return `only what was committed after that and never reached the repository${others}`;
  return keptEarlier !== undefined
    ? `only what was committed after that and reached neither the repository nor the old data${others}`
    : `nothing that the repository or the old disk held${of}${others}`;
}

function serverText(report: RestoreReport): string {
  const { outcome, dataDir, logFile, control, privateDir, startedServices, paused } = report;
  const state = hasGoneOn({ paused }) ? "let go on" : outcome.kind;
  if (outcome.kind === "paused" && privateDir !== undefined)
    return `${state} in ${dataDir}, reachable only through the socket in ${privateDir}`;
  if (outcome.kind !== "promoted") return `${state} in ${dataDir}; its log: ${logFile ?? ""}`;
  const by =
    control.kind === "systemd" ? `, run by ${control.unit}` : logFile === undefined ? "" : `; its log: ${logFile}`;
  return `takes writes in ${dataDir}${by}${startedServices.length === 0 ? "" : `; started again: ${startedServices.join(", ")}`}`;
}

/** What the operator has to do, in order, with the command where there is one. */
function nextSteps(report: RestoreReport, { appServices }: Pick<Prepared, "appServices">): string[] {
  const { outcome, dataDir, fenced, keptAs, startedServices, localWal } = report;
  if (outcome.kind === "paused") return pausedSteps(report);
  if (outcome.kind === "shut-down")
    return ["every start ends at the target again; give the command again with --target-action promote to open it"];
  const steps = fenced
    ? [`it is a copy; when it is to take the place of its source: soar-restore adopt --data-dir ${dataDir}`]
    : ["take a base backup now, the new timeline has none: soar-base-backup", ...subscriptionSteps(report)];
  const command = byHand(localWal);
  if (command !== undefined)
    steps.push(
      `this restore is not over before that WAL is in the repository: when the reason is gone, give the same command again, which leaves the data of the server alone; to give that WAL up: soar-restore forget --data-dir ${dataDir}. Until then discard-old does not remove the only copy`,
      `to close the hole behind the earlier base backups, when the reason is gone, as somebody who may read these files and write to the bucket: ${command}`,
    );
  if (startedServices.length === 0 && appServices.length > 0)
    steps.push(`start the applications: systemctl start ${appServices.join(" ")}`);
  steps.push("replication slots do not come back: make those that are needed again");
  if (keptAs !== undefined && command === undefined)
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
