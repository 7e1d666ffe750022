import { formatSize } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import { describeTarget, type RestorePlan } from "@soar/restore/plan";

/** What a rescue would do, by names and values; undefined ones are left out. */
export function describeRescue(plan: RestorePlan, rows: readonly (readonly [string, string | undefined])[]): string {
  const { backup, resolved, target } = plan;
  const last = resolved.lastReplayed;
  const all = [
    ["repository", plan.location],
    ["state at", describeTarget(target)],
    ["base backup", `${backup.label}, consistent at ${backup.stopLsn} (ended ${backup.stoppedAt})`],
    ["recovery ends", `at ${formatLsn(resolved.stopLsn)}`],
    ["last commit", last === undefined ? undefined : `${formatTargetTime(last.time)} at ${formatLsn(last.lsn)}`],
    ["WAL to replay", formatSize(plan.fetchBytes.wal)],
    ...rows,
    ...plan.warnings.map((warning) => ["warning", warning] as const),
  ] as const;
  return all.flatMap(([name, text]) => (text === undefined ? [] : [`${`${name}:`.padEnd(16)}${text}`])).join("\n");
}

/** Where the scratch server really ended. */
export function rescueReached(reachedLsn: bigint | undefined, { resolved: { stopLsn } }: RestorePlan): string {
  if (reachedLsn === stopLsn) return `${formatLsn(reachedLsn)}, as planned`;
  const reached = reachedLsn === undefined ? "the target" : `${formatLsn(reachedLsn)}, where the archive ends`;
  return `${reached}; planned was ${formatLsn(stopLsn)}`;
}

/** The same for programs. */
export function rescueAsJson(plan: RestorePlan, more: Readonly<Record<string, unknown>>): unknown {
  return {
    version: 1,
    repository: plan.location,
    backup: plan.backup.label,
    target: plan.target,
    stopLsn: formatLsn(plan.resolved.stopLsn),
    fetchWalBytes: plan.fetchBytes.wal,
    warnings: plan.warnings,
    ...more,
  };
}
