import { formatSize, type Log } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import {
  executeExpiry,
  planExpiry,
  readExpiryState,
  strandedBackups,
  type ExpiryEvent,
  type ExpiryOutcome,
  type ExpiryPlan,
  type ExpiryState,
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
  const { windowDays } = policy;
  const state = await readExpiryState(store, { now: now(), stampBefore, trustClock, windowDays, signal });
  const uncounted = describeUncounted(state.time);
  if (uncounted !== undefined) log.info(uncounted);
  const plan = planExpiry(state, policy);
  requireCertain(plan, state, { policy, unattended, trustClock });
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

/** What a plan does not count, as a full sentence with the way on. */
export function describeUncounted({ leapMs }: ProvedTime): string | undefined {
  if (leapMs === undefined) return undefined;
  const span = describeSpan(new Date(leapMs), new Date(0));
  return `${span} in which nothing was stored do not count for ages: a clock that leaps looks like that. If nothing was stored for so long, count them: soar-base-backup expire --trust-clock`;
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
function requireCertain(plan: ExpiryPlan, state: ExpiryState, { policy, unattended, trustClock }: Certainty): void {
  if (plan.removeWal.length + plan.removeBackups.length === 0) return;
  const [doubt] = trustClock ? [] : state.time.doubts;
  if (doubt !== undefined) {
    throw new SoarError("EXPIRY_DOUBTFUL", `nothing was expired: ${doubt}`, {
      hint: "Compare this machine's clock with another (timedatectl, or date -u). Where it is right now, see what would go (soar-base-backup expire --dry-run --trust-clock) and remove it: soar-base-backup expire --trust-clock.",
    });
  }
  const drastic = unattended ? describeDrastic(plan, state, policy) : undefined;
  if (drastic === undefined) return;
  throw new SoarError("EXPIRY_DOUBTFUL", `nothing was expired: ${drastic}`, {
    hint: "A clock that is wrong looks like this, and so do a shorter retention and a long time without expiry. See what would go (soar-base-backup expire --dry-run) and remove it by hand: soar-base-backup expire.",
  });
}

/** More than one step of what expiry does week by week, and hardly anything left behind it: of the backups, or of the time that can be restored. */
function describeDrastic(
  plan: ExpiryPlan,
  state: ExpiryState,
  { minimumBackups }: RetentionPolicy,
): string | undefined {
  const removed = new Set(plan.removeBackups.filter(({ isComplete }) => isComplete).map(({ label }) => label));
  const left = plan.keep.length;
  const all = removed.size + left;
  if (removed.size >= 2 && left <= minimumBackups + 1)
    return `${removed.size} of ${all} backups would go at once, and ${left} be left, hardly more than the ${minimumBackups} that are always kept`;
  const stranded = strandedBackups(state, plan).filter((label) => !removed.has(label));
  const followed = left - stranded.length;
  if (removed.size + stranded.length < 2 || followed > FEWEST_FOLLOWED + 1) return undefined;
  return `the WAL that follows ${removed.size + stranded.length} of ${all} backups would go at once, and only ${followed} be left from which every later instant can be restored`;
}

/** However wrong the clock is, the WAL from the newest backup on stays. */
const FEWEST_FOLLOWED = 1;

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
