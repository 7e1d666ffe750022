import { hostname } from "node:os";
import { SoarError } from "@soar/errors";
import { segmentIndexBeforeLsn } from "@soar/pg-tools";
import { findBackupRecord, holdLease, type LeaseTerms } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { RestorePlan } from "./plan.ts";

export interface PlanLeaseOptions extends CallOptions {
  readonly purpose: LeaseTerms["purpose"];
  /** Expiry does not know of this reader: the key may not write, or the lease could not be renewed. */
  readonly onRefusal?: ((reason: string) => void) | undefined;
}

/**
 * Carries out a plan while expiry leaves alone what it needs (safety, promise 8): a restore may take hours, and the operator
 * may have looked at the plan for as long. Where the key may only read, it is carried out all the same. Rejects with
 * `BACKUP_MISSING` when the backup expired in between, before anything is touched.
 */
export async function withPlanLease<T>(
  store: ObjectStore,
  plan: RestorePlan,
  { purpose, signal, onRefusal }: PlanLeaseOptions,
  work: () => Promise<T>,
): Promise<T> {
  const lease = await holdLease(store, termsOf(plan, purpose), { now: () => new Date(), signal });
  try {
    const refusal = lease.refusal();
    if (refusal !== undefined) onRefusal?.(refusal);
    await requireStillThere(store, plan, signal);
    return await work();
  } finally {
    await lease.release();
  }
}

function termsOf({ backup, chain, resolved }: RestorePlan, purpose: LeaseTerms["purpose"]): LeaseTerms {
  const last = chain.segments.findLast(
    ({ index }) => index <= segmentIndexBeforeLsn(resolved.stopLsn, chain.segmentSize),
  );
  return {
    purpose,
    host: hostname(),
    labels: [backup.label],
    walFrom: backup.firstSegment,
    walTo: last?.name ?? backup.lastSegment,
  };
}

async function requireStillThere(
  store: ObjectStore,
  { backup }: RestorePlan,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ((await findBackupRecord(store, backup.label, { signal })) !== undefined) return;
  throw new SoarError(
    "BACKUP_MISSING",
    `unable to carry out the plan: backup '${backup.label}' has expired since it was made`,
    { hint: "Run the command again: it plans with what is there now. Nothing was changed." },
  );
}
