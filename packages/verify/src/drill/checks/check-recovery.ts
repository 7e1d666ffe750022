import { formatLsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import type { RestorePlan } from "@soar/restore/plan";
import type { CheckResult, DrillServer } from "./drill-server.ts";

/** The server reached consistency and the planned end; otherwise it would not be here. */
export function describeStart(
  { scratch }: DrillServer,
  { resolved: { stopLsn } }: RestorePlan,
  consistentLsn: bigint | undefined,
): CheckResult {
  const { reachedLsn, timeline } = scratch.outcome;
  const replayed =
    reachedLsn === undefined
      ? "replayed to the target"
      : `replayed to ${formatLsn(reachedLsn)}${reachedLsn === stopLsn ? " as planned" : `, where the archive ends (planned was ${formatLsn(stopLsn)})`}`;
  const consistent = consistentLsn === undefined ? "consistent" : `consistent at ${formatLsn(consistentLsn)}`;
  return {
    outcome: "passed",
    detail: `${consistent}, ${replayed}, and takes connections on timeline ${timeline}`,
  };
}

/**
 * Compares the newest transaction that was replayed, as the server tells it, with the plan; and a time that was asked for
 * with the transactions on both sides of it.
 */
export function checkNewestCommit({ scratch }: DrillServer, { target, resolved }: RestorePlan): CheckResult {
  const { lastCommitTime: reached } = scratch.outcome;
  const { lastReplayed: last, firstLeftOut } = resolved;
  const newest =
    last === undefined ? "none was replayed behind the backup" : `the newest is of ${formatTargetTime(last.time)}`;
  if (last !== undefined && reached !== undefined && BigInt(reached.getTime()) !== last.time / 1000n) {
    return {
      outcome: "failed",
      detail: `the server says that its newest transaction is of ${reached.toISOString()}; by the plan ${newest}`,
    };
  }
  if (last !== undefined && reached === undefined)
    return { outcome: "warning", detail: `the server names no transaction that it replayed; by the plan ${newest}` };
  if (target.kind === "time") {
    const isInside =
      (last === undefined || last.time <= target.time) &&
      (firstLeftOut === undefined || firstLeftOut.time > target.time);
    const next = firstLeftOut === undefined ? "" : `, the next one of ${formatTargetTime(firstLeftOut.time)}`;
    return {
      outcome: isInside ? "passed" : "failed",
      detail: `${newest}${next}; the target is ${formatTargetTime(target.time)}`,
    };
  }
  return { outcome: "passed", detail: `${newest}, the last one in the bucket` };
}
