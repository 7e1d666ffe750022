import { formatSize, type Log } from "@soar/app-kit";
import {
  executeExpiry,
  planExpiry,
  readExpiryState,
  type ExpiryEvent,
  type ExpiryOutcome,
  type ExpiryPlan,
  type RetentionPolicy,
} from "@soar/repository";
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
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Shows the plan and asks; rejects when it is not to be carried out. */
  readonly approve: (plan: ExpiryPlan) => Promise<void>;
}

/** One expiry from the listing to the last removal. */
export async function expireRepository(
  store: ObjectStore,
  { policy, log, signal, approve }: ExpireOptions,
): Promise<{ plan: ExpiryPlan; outcome: ExpiryOutcome }> {
  const state = await readExpiryState(store, { now: new Date(), signal });
  const plan = planExpiry(state, policy);
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
