import { randomUUID } from "node:crypto";
import { hasErrorCode, isSoarError, messageOf } from "@soar/errors";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { storeTime } from "../time/store-time.ts";
import { leaseKey } from "../records/keys.ts";
import { putLease, type LeaseRecord } from "./marker-records.ts";

/** What is read, and by whom. */
export type LeaseTerms = Pick<LeaseRecord, "purpose" | "host" | "labels" | "walFrom" | "walTo">;

export interface HeldLease {
  /** Why expiry does not know of this reader; undefined while it does. */
  readonly refusal: () => string | undefined;
  /** Gives the lease back. What cannot be removed lapses by itself. */
  release(): Promise<void>;
}

const LEASE_MS = 2 * 3600_000;
const RENEWAL_MS = LEASE_MS / 4;
/** Whoever has read, or was stopped, waits no longer for a store that says nothing. */
const RELEASE_MS = 10_000;

/**
 * Tells expiry to leave alone what is being read (safety, promise 8), and goes on telling it until released: objects are never
 * overwritten, so each renewal is a lease of its own. Where the key may not write, or not remove, or the bucket is full, reading
 * goes on without: a lease must not be what a restore fails for.
 */
export async function holdLease(
  store: ObjectStore,
  terms: LeaseTerms,
  { now, signal }: CallOptions & { readonly now: () => Date },
): Promise<HeldLease> {
  let held: string | undefined;
  let refusal: string | undefined;
  const end = new AbortController();
  const whileHeld = signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]);
  const renew = async (): Promise<void> => {
    // Expiry goes by what the store stamps: a reader whose clock is behind must not lose its lease.
    const startedAt = storeTime(store, now());
    const id = `${terms.purpose}-${randomUUID()}`;
    await putLease(
      store,
      {
        format: 1,
        id,
        ...terms,
        labels: [...terms.labels],
        startedAt: startedAt.toISOString(),
        expiresAt: new Date(startedAt.getTime() + LEASE_MS).toISOString(),
      },
      { signal: whileHeld },
    );
    const before = held;
    held = id;
    if (before !== undefined) await remove(store, before, end.signal);
  };
  try {
    await renew();
  } catch (error) {
    if (!hasErrorCode(error, "STORE_DENIED", "STORE_READ_ONLY", "OBJECT_LOCKED", "STORE_QUOTA")) throw error;
    refusal = error.message;
  }
  let renewal = Promise.resolve();
  const isForbidden = refusal !== undefined;
  const timer = setInterval(() => {
    if (isForbidden) return;
    // An outage may end before the lease does: there are three more times until then.
    renewal = renewal.then(renew).then(
      () => void (refusal = undefined),
      (error: unknown) => void (refusal = messageOf(error)),
    );
  }, RENEWAL_MS);
  // The reading keeps the process alive, not the lease for it.
  timer.unref();
  return {
    refusal: () => refusal,
    async release() {
      clearInterval(timer);
      const limit = setTimeout(() => end.abort(), RELEASE_MS);
      try {
        await renewal;
        if (held !== undefined) await remove(store, held, end.signal);
      } finally {
        clearTimeout(limit);
      }
    },
  };
}

/** Also after the run was stopped. Whatever the store says to it, the lease lapses by itself and what was read stays true. */
async function remove(store: ObjectStore, id: string, signal: AbortSignal): Promise<void> {
  try {
    await store.remove([leaseKey(id)], { signal });
  } catch (error) {
    if (!isSoarError(error)) throw error;
  }
}
