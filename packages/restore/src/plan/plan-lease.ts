import { hostname } from "node:os";
import { SoarError } from "@soar/errors";
import { segmentIndexBeforeLsn } from "@soar/pg-tools";
import { BACKUP_OBJECTS, BASE_PREFIX, findBackupRecord, parseBackupKey, WAL_PREFIX } from "@soar/repository";
import { holdLease, type LeaseTerms } from "@soar/repository/markers";
import { steadyClock } from "@soar/repository/time";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { RestorePlan } from "./plan.ts";
import { segmentsUntil } from "./segments-until.ts";

export interface PlanLeaseOptions extends CallOptions {
  readonly purpose: LeaseTerms["purpose"];
  /** Expiry does not know of this reader: the key may not write, or the lease could not be renewed. */
  readonly onRefusal?: ((reason: string) => void) | undefined;
  /** Plans the same again from what is in the repository now. */
  readonly replan?: (() => Promise<RestorePlan>) | undefined;
}

/**
 * Carries out a plan while expiry leaves alone what it needs (safety, promise 8): a restore may take hours, and the operator
 * may have looked at the plan for as long. Where the key may only read, it is carried out all the same. Once expiry knows
 * of this reader, everything that the plan names is looked for again: what is gone is planned anew by `replan`, once, and
 * without it or when it is gone again, rejects with `BACKUP_MISSING` or `WAL_MISSING` before anything is touched.
 */
export async function withPlanLease<T>(
  store: ObjectStore,
  plan: RestorePlan,
  { purpose, signal, onRefusal, replan }: PlanLeaseOptions,
  work: (plan: RestorePlan) => Promise<T>,
): Promise<T> {
  // A clock that is set back meanwhile must not let a renewed lease lapse before the one that it replaces.
  const { now } = steadyClock(() => new Date());
  const lease = await holdLease(store, termsOf(plan, purpose), { now, signal });
  try {
    const refusal = lease.refusal();
    if (refusal !== undefined) onRefusal?.(refusal);
    const gone = await findGone(store, plan, { signal });
    if (gone === undefined) return await work(plan);
    if (replan === undefined) throw gone;
  } finally {
    await lease.release();
  }
  return await withPlanLease(store, await replan(), { purpose, signal, onRefusal }, work);
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

/** The first thing that the plan needs and that is not in the repository any more, as the failure that it is. */
async function findGone(
  store: ObjectStore,
  { backup, chain, resolved }: RestorePlan,
  { signal }: CallOptions,
): Promise<SoarError | undefined> {
  const { location } = store;
  if ((await findBackupRecord(store, backup.label, { signal })) === undefined)
    return expired("BACKUP_MISSING", `backup '${backup.label}'`, location);
  for (const label of backup.references)
    if (!(await hasArchives(store, label, { signal }))) return expired("BACKUP_MISSING", `backup '${label}'`, location);
  const stored = segmentsUntil(chain, resolved.stopLsn).filter(
    ({ object, tail }) => object.file === undefined && tail === undefined,
  );
  const [first] = stored;
  if (first === undefined) return undefined;
  const present = new Set<string>();
  const firstKey = stored.map(({ object }) => object.key).sort()[0] ?? first.object.key;
  for await (const { key } of store.list(WAL_PREFIX, { startAfter: justBefore(firstKey), signal })) present.add(key);
  const lost = stored.find(({ object }) => !present.has(object.key));
  return lost === undefined ? undefined : expired("WAL_MISSING", `WAL segment '${lost.name}'`, location);
}

/**
 * What refers to a backup needs its archives only: a record that was lost, or is damaged, takes nothing from them. Expiry removes whatever
 * refers to a backup before the backup itself, so that the record of the planned one tells of it.
 */
async function hasArchives(store: ObjectStore, label: string, { signal }: CallOptions): Promise<boolean> {
  const others = new Set<string>(Object.values(BACKUP_OBJECTS));
  for await (const { key } of store.list(`${BASE_PREFIX}${label}/`, { signal }))
    if (!others.has(parseBackupKey(key)?.name ?? "")) return true;
  return false;
}

function expired(code: "BACKUP_MISSING" | "WAL_MISSING", what: string, location: string): SoarError {
  return new SoarError(code, `unable to carry out the plan: ${what} has gone from '${location}' since it was made`, {
    hint: "Run the command again: it plans with what is there now. Nothing was changed.",
  });
}

/** A key that sorts before this one and behind every other that does. */
function justBefore(key: string): string {
  return key.slice(0, -1);
}
