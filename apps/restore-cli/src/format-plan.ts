import { formatSize } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import { describeTarget, formatInstant, type CommitPoint } from "@soar/restore";
import type { Prepared } from "./prepare.ts";

const APPROACHES: Record<Prepared["approach"], string | undefined> = {
  fill: undefined,
  refill: "is overwritten: what equals the backup stays, everything else is replaced or removed",
  recover: "an interrupted restore of this plan: the backup is fetched, recovery goes on",
  follow: "an interrupted restore of this plan, whose server goes on: it is watched until it is done",
};

/** The plan for a person: what will happen, with the consequences in words. */
export function formatPlan({ plan, dataDir, inPlace, approach }: Prepared): string {
  const { backup, resolved, chain, fetchBytes } = plan;
  const lines = [
    ["repository", plan.location],
    ["target", describeTarget(plan.target)],
    ["base backup", `${backup.label}, consistent at ${backup.stopLsn} (ended ${backup.stoppedAt})`],
    ["timeline", String(chain.history.timeline)],
    ["recovery ends", `at ${formatLsn(resolved.stopLsn)}`],
    ["last replayed", commitText(resolved.lastReplayed)],
    ["first left out", resolved.firstLeftOut === undefined ? undefined : commitText(resolved.firstLeftOut)],
    ["to download", `${formatSize(fetchBytes.backup)} of backup and ${formatSize(fetchBytes.wal)} of WAL`],
    ["data directory", `${dataDir} (${formatSize(plan.neededBytes)} needed)`],
    ["what is there", APPROACHES[approach]],
    ["afterwards", inPlace ? "the server takes writes and goes on archiving, on a new timeline" : "the server takes writes; as a copy it does not archive into this repository"],
    ...plan.passedOver.map(({ label, reason }) => ["not used", `${label}: ${reason}`]),
    ...plan.warnings.map((warning) => ["warning", warning]),
  ];
  return lines.flatMap(([name, text]) => (text === undefined ? [] : [`${`${name}:`.padEnd(16)}${text}`])).join("\n");
}

/** The plan for programs. */
export function planAsJson({ plan, dataDir, inPlace, approach }: Prepared): unknown {
  const { backup, resolved, chain } = plan;
  return {
    version: 1,
    repository: plan.location,
    target: plan.target,
    backup: { label: backup.label, startLsn: backup.startLsn, stopLsn: backup.stopLsn, stoppedAt: backup.stoppedAt, timeline: backup.timeline },
    timeline: chain.history.timeline,
    stopLsn: formatLsn(resolved.stopLsn),
    lastReplayed: commitAsJson(resolved.lastReplayed),
    firstLeftOut: commitAsJson(resolved.firstLeftOut),
    wal: { first: chain.segments[0]?.name, last: chain.segments.at(-1)?.name, segments: chain.segments.length, holes: chain.holes },
    fetchBytes: plan.fetchBytes,
    neededBytes: plan.neededBytes,
    dataDir,
    approach,
    inPlace,
    passedOver: plan.passedOver,
    warnings: plan.warnings,
  };
}

function commitText(point: CommitPoint | undefined): string {
  return point === undefined ? "not looked for" : `commit of ${formatInstant(point.time)} at ${formatLsn(point.lsn)}`;
}

function commitAsJson(point: CommitPoint | undefined): unknown {
  return point && { lsn: formatLsn(point.lsn), time: formatInstant(point.time) };
}
