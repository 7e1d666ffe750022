import { randomUUID } from "node:crypto";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { expiredRanges } from "./expired-ranges.ts";
import { planExpiry, windowStartOf, type ExpiredBackup, type ExpiryPlan, type RetentionPolicy } from "./expiry-plan.ts";
import { readProtection, type ExpiryState } from "./expiry-state.ts";
import { listExpiredWal, putExpiredWal } from "../markers/expired-wal.ts";
import { backupPrefix, BASE_PREFIX, expiredKey, leaseKey, UPLOAD_PREFIXES } from "../records/keys.ts";

export interface ExecuteExpiryOptions extends CallOptions {
  /** What the plan was made from, and by. */
  readonly state: ExpiryState;
  readonly policy: RetentionPolicy;
  /** What was shown to the operator: nothing else is removed. */
  readonly plan: ExpiryPlan;
  readonly onEvent?: (event: ExpiryEvent) => void;
}

export type ExpiryEvent =
  | { readonly type: "backup-removed"; readonly label: string; readonly objects: number; readonly bytes: number }
  | { readonly type: "wal-removed"; readonly objects: number; readonly bytes: number }
  /** Parts of uploads that died, in the keys that they were meant for. */
  | { readonly type: "uploads-aborted"; readonly keys: readonly string[] }
  /** Somebody began to use it after the plan was made. */
  | { readonly type: "spared"; readonly label: string };

export interface ExpiryOutcome {
  readonly backups: readonly string[];
  readonly wal: number;
  readonly bytes: number;
}

/** Keys of WAL per step: what one request of DeleteObjects takes. */
const BATCH = 1000;
/** Uploads are stamped by the provider's clock, runs by their host's. */
const CLOCK_TOLERANCE_MS = 3_600_000;
const DAY_MS = 86_400_000;
const END_OF_TIME = new Date("9999-12-31T23:59:59Z");

/**
 * Carries out a plan. Before every step the plan is made again with what protects backups *now* (runs, leases, pins), so
 * that a restore that began after the operator's yes keeps what it reads. Can be interrupted anywhere: what is left is
 * consistent, and the next expiry goes on. Rejects with the store's failures, `OBJECT_LOCKED` for Object Lock.
 */
export async function executeExpiry(store: ObjectStore, options: ExecuteExpiryOptions): Promise<ExpiryOutcome> {
  const { plan, policy, signal, onEvent } = options;
  const removed: ExpiredBackup[] = [];
  let state = options.state;
  for (const { label } of plan.removeBackups) {
    state = { ...state, ...(await readProtection(store, { signal })) };
    const expired = planExpiry(state, policy).removeBackups.find((candidate) => candidate.label === label);
    if (expired === undefined) onEvent?.({ type: "spared", label });
    else {
      await removeBackup(store, expired, { signal });
      removed.push(expired);
      onEvent?.({ type: "backup-removed", label, objects: expired.objects.length, bytes: bytesOf(expired.objects) });
    }
  }
  const superseded = await recordRemoval(store, state, options);
  const wal = await removeWal(store, state, options);
  await store.remove(superseded, { signal });
  await store.remove(
    plan.removeLeases.map(({ id }) => leaseKey(id)),
    { signal },
  );
  await abortDeadUploads(store, state, options);
  return {
    backups: removed.map(({ label }) => label),
    wal: wal.length,
    bytes: bytesOf(wal) + bytesOf(removed.flatMap(({ objects }) => objects)),
  };
}

/** Removes one directory below `base/`, and what its uploads left, in the order that `removalOrder` explains. */
export async function removeBackup(
  store: ObjectStore,
  { label, objects }: Pick<ExpiredBackup, "label" | "objects">,
  { signal }: CallOptions = {},
): Promise<void> {
  const [first, last] = [objects[0], objects.at(-1)];
  if (first === undefined || last === undefined) return;
  await store.remove([first.key], { signal });
  await store.abortStaleUploads(backupPrefix(label), END_OF_TIME, { signal });
  const between = objects.slice(1, -1).map(({ key }) => key);
  if (between.length > 0) await store.remove(between, { signal });
  if (last !== first) await store.remove([last.key], { signal });
}

/**
 * Says in the bucket which WAL is about to be removed, so that nobody takes it for lost. Gives the keys of the older records,
 * whose content the new one has: they go once nothing can fail any more.
 */
async function recordRemoval(
  store: ObjectStore,
  state: ExpiryState,
  { plan, policy, signal }: ExecuteExpiryOptions,
): Promise<string[]> {
  if (plan.removeWal.length === 0) return [];
  const earlier = await listExpiredWal(store, { signal });
  const expiredAt = state.time.now.toISOString();
  await putExpiredWal(
    store,
    {
      format: 1,
      id: `${expiredAt.replaceAll(/[-:]|\.\d+/g, "")}-${randomUUID()}`,
      expiredAt,
      windowStart: windowStartOf(state.time.now, policy).toISOString(),
      ranges: expiredRanges(state, plan, earlier),
    },
    { signal },
  );
  return earlier.map(({ id }) => expiredKey(id));
}

async function removeWal(
  store: ObjectStore,
  before: ExpiryState,
  { plan, policy, signal, onEvent }: ExecuteExpiryOptions,
): Promise<ExpiryState["wal"]> {
  const removed: ExpiryState["wal"][number][] = [];
  for (let at = 0; at < plan.removeWal.length; at += BATCH) {
    const state = { ...before, ...(await readProtection(store, { signal })) };
    const removable = new Set(planExpiry(state, policy).removeWal.map(({ key }) => key));
    const batch = plan.removeWal.slice(at, at + BATCH).filter(({ key }) => removable.has(key));
    if (batch.length === 0) continue;
    await store.remove(
      batch.map(({ key }) => key),
      { signal },
    );
    removed.push(...batch);
    onEvent?.({ type: "wal-removed", objects: batch.length, bytes: bytesOf(batch) });
  }
  return removed;
}

/** A run begins its uploads after its `started.json`, so anything older than the oldest living run belongs to a dead one. */
async function abortDeadUploads(
  store: ObjectStore,
  { time: { now }, started }: ExpiryState,
  { signal, onEvent }: ExecuteExpiryOptions,
): Promise<void> {
  const living = [...started.values()]
    .filter(({ deadline }) => new Date(deadline) > now)
    .map(({ startedAt }) => Date.parse(startedAt));
  const before = new Date(Math.min(now.getTime(), ...living) - CLOCK_TOLERANCE_MS);
  // Whatever else is uploaded in parts is a matter of minutes.
  const dayAgo = new Date(now.getTime() - DAY_MS);
  const keys: string[] = [];
  for (const prefix of UPLOAD_PREFIXES)
    keys.push(...(await store.abortStaleUploads(prefix, prefix === BASE_PREFIX ? before : dayAgo, { signal })));
  if (keys.length > 0) onEvent?.({ type: "uploads-aborted", keys });
}

function bytesOf(objects: readonly { readonly size: number }[]): number {
  return objects.reduce((sum, { size }) => sum + size, 0);
}
