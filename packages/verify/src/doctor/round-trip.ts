import { setTimeout as delay } from "node:timers/promises";
import type { SqlConnection } from "@soar/pg-tools/replication";
import { findWalObjects } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import type { Notes } from "./examination.ts";

export interface RoundTripOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const POLL_MS = 250;

/**
 * The one proof that archiving works from end to end: a commit, then a segment switch, in transactions of their own (a
 * switch in the same one would leave the commit behind it: safety, trap 14), then the segment in the bucket. Leaves one
 * WAL message and no row behind.
 */
export async function examineRoundTrip(
  sql: SqlConnection,
  store: ObjectStore,
  { notes, timeoutMs, signal }: RoundTripOptions & { readonly notes: Notes },
): Promise<void> {
  const [state] = await sql.query<{ recovering: boolean; mode: string }>(
    "SELECT pg_is_in_recovery() AS recovering, current_setting('archive_mode') AS mode",
    [],
    { signal },
  );
  if (state?.recovering === true)
    return notes.notice(
      "round-trip",
      "a standby finishes no segment of its own",
      "Run the doctor on the primary to see a segment travel.",
    );
  if (state?.mode === "off")
    return notes.error("round-trip", "archive_mode is off: no segment would arrive", "See archiving above.");
  // Not even where every other commit waits for a standby that is gone.
  await sql.query("SET synchronous_commit = local", [], { signal });
  await sql.query("SELECT pg_logical_emit_message(true, 'soar', 'doctor')", [], { signal });
  const startedAt = performance.now();
  const [row] = await sql.query<{ name: string }>("SELECT pg_walfile_name(pg_switch_wal() - 1) AS name", [], {
    signal,
  });
  const name = row?.name ?? "";
  while ((await findWalObjects(store, name, { signal })).length === 0) {
    if (performance.now() - startedAt > timeoutMs) {
      return notes.error(
        "round-trip",
        `segment '${name}' did not reach '${store.location}' within ${Math.round(timeoutMs / 1000)} s`,
        `See archiving above, and what the command says by hand, as the server's user in its data directory: soar-wal-archive pg_wal/${name} ${name}`,
      );
    }
    await delay(POLL_MS, undefined, { signal });
  }
  notes.ok(
    "round-trip",
    `a commit was in the bucket ${((performance.now() - startedAt) / 1000).toFixed(1)} s after its segment was finished ('${name}')`,
  );
}
