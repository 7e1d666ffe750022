import { formatSize, type Log } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import {
  executeExpiry,
  planExpiry,
  readExpiryState,
  type ExpiryEvent,
  type ExpiryOutcome,
  type ExpiryPlan,
  type RetentionPolicy,
} from "@soar/repository/expiry";
import { describeSpan, type ProvedTime } from "@soar/repository/time";
import type { ObjectStore } from "@soar/storage";

export interface RetentionConfig {
  readonly retentionDays: number;
  readonly retentionCount: number;
}

export function policyOf({ retentionDays, retentionCount }: RetentionConfig): RetentionPolicy {
  return { windowDays: retentionDays, minimumBackups: retentionCount };
}

export interface ExpireOptions {
  readonly policy: RetentionPolicy;
  /** Nobody looks at the plan before it is carried out. */
  readonly unattended: boolean;
  /** Go on although clocks contradict each other: somebody has compared them. */
  readonly trustClock?: boolean;
  /** The newest stamp in the bucket before this run stored anything there. */
  readonly stampBefore?: Date | undefined;
  readonly log: Pick<Log, "info">;
  /** This machine's clock. */
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Shows the plan and asks; rejects when it is not to be carried out. */
  readonly approve: (plan: ExpiryPlan) => Promise<void>;
}

/** One expiry from the listing to the last removal. Rejects with `EXPIRY_DOUBTFUL`, and removes nothing, where `requireCertain` does. */
export async function expireRepository(
  store: ObjectStore,
  { policy, unattended, trustClock = false, stampBefore, log, now, signal, approve }: ExpireOptions,
): Promise<{ plan: ExpiryPlan; outcome: ExpiryOutcome }> {
  const state = await readExpiryState(store, { now: now(), stampBefore, trustClock, signal });
  const { leapMs } = state.time;
  if (leapMs !== undefined)
    log.info(
      `${describeSpan(new Date(leapMs), new Date(0))} in which nothing was stored do not count for ages: a clock that leaps looks like that. If it was so, count them: soar-base-backup expire --trust-clock`,
    );
  const plan = planExpiry(state, policy);
  requireCertain(plan, state.time, { policy, unattended, trustClock });
  await approve(plan);
  const outcome = await executeExpiry(store, {
    state,
    policy,
    plan,
    signal,
    onEvent: (event) => log.info(describeEvent(event)),
  });
  return { plan, outcome };
}

interface Certainty {
  readonly policy: RetentionPolicy;
  readonly unattended: boolean;
  readonly trustClock: boolean;
}

/**
 * What is removed is gone, and what is old is judged by clocks. Where these contradict each other, or where a run that nobody
 * watches would leave next to nothing of what the bucket held, somebody has to look first.
 */
function requireCertain(plan: ExpiryPlan, { doubts }: ProvedTime, { policy, unattended, trustClock }: Certainty): void {
  const removed = plan.removeBackups.filter(({ isComplete }) => isComplete).length;
  if (removed + plan.removeWal.length + plan.removeBackups.length === 0) return;
  const [doubt] = trustClock ? [] : doubts;
  if (doubt !== undefined) {
    throw new SoarError("EXPIRY_DOUBTFUL", `nothing was expired: ${doubt}`, {
      hint: "Compare this machine's clock with another (timedatectl, or date -u). Where it is right now, see what would go (soar-base-backup expire --dry-run) and remove it: soar-base-backup expire --trust-clock.",
    });
  }
  const left = plan.keep.length;
  if (!unattended || removed < 2 || left > policy.minimumBackups + 1) return;
  throw new SoarError(
    "EXPIRY_DOUBTFUL",
    `nothing was expired: ${removed} of ${removed + left} backups would go at once, and ${left} be left, hardly more than the ${policy.minimumBackups} that are always kept`,
    {
      hint: "A clock that is wrong looks like this, and so do a shorter retention and a long time without expiry. See what would go (soar-base-backup expire --dry-run) and remove it by hand: soar-base-backup expire.",
    },
  );
}

function describeEvent(event: ExpiryEvent): string {
  switch (event.type) {
    case "backup-removed":
      return `expired backup ${event.label} (${event.objects} objects, ${formatSize(event.bytes)})`;
    case "wal-removed":
      return `expired ${event.objects} WAL files (${formatSize(event.bytes)})`;
    case "uploads-aborted":
      return `aborted ${event.keys.length} uploads of runs that died`;
    case "spared":
      return `spared backup ${event.label}: it came into use meanwhile`;
  }
}
