import { hasErrorCode } from "@soar/errors";
import type { SqlConnection } from "@soar/pg-tools/replication";
import { BACKUP_OBJECTS, backupKey } from "@soar/repository";
import { compareClocks, type OtherClock, type SteadyClock } from "@soar/repository/time";
import type { ObjectStore } from "@soar/storage";
import type { ClaimedLabel } from "../claim/claim-label.ts";

export interface ClockWitnesses {
  readonly sql: SqlConnection;
  readonly claimed: ClaimedLabel;
  readonly clock: SteadyClock;
  /** The newest stamp in the repository before this run, where this machine does the stamping. */
  readonly newestStamp?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares the clock that names and dates this backup with those of the server, of the store, and of whoever stored
 * something before. A backup is taken in any case: one by a wrong clock is better than none, and says so itself.
 */
export async function findClockDoubts(store: ObjectStore, witnesses: ClockWitnesses): Promise<string[]> {
  const { claimed, clock, newestStamp } = witnesses;
  const others = [await serverClock(witnesses)];
  if (store.features.server !== undefined) {
    const stamp = await stampOfClaim(store, witnesses);
    if (stamp !== undefined) others.push({ name: "the store's clock", clock: claimed.startedAt, at: stamp });
  }
  const now = clock.now();
  // An older one proves nothing.
  if (newestStamp !== undefined && newestStamp > now)
    others.push({ name: "the clock that stamped the newest object in the repository", clock: now, at: newestStamp });
  return compareClocks(others);
}

/** Undefined where the key may not look: what is only compared must not be what a backup fails for. */
async function stampOfClaim(
  store: ObjectStore,
  { claimed: { label }, signal }: ClockWitnesses,
): Promise<Date | undefined> {
  try {
    return (await store.stat(backupKey(label, BACKUP_OBJECTS.started), { signal }))?.modifiedAt;
  } catch (error) {
    if (hasErrorCode(error, "STORE_DENIED")) return undefined;
    throw error;
  }
}

async function serverClock({ sql, clock, signal }: ClockWitnesses): Promise<OtherClock> {
  const [row] = await sql.query<{ ms: string }>(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS ms",
    [],
    { signal },
  );
  const now = clock.now();
  return { name: "the server's clock", clock: now, at: row === undefined ? now : new Date(Number(row.ms)) };
}
