import { setTimeout as delay } from "node:timers/promises";
import { messageOf, SoarError } from "@soar/errors";
import type { SqlConnection } from "@soar/pg-tools/replication";

/** Any two numbers that nobody else uses for advisory locks: "soar" and "base" in ASCII. */
const LOCK = [0x736f6172, 0x62617365] as const;

/** Advisory locks are per database, and another run may have come in by another one; everybody may see who holds one. */
const HELD_ELSEWHERE = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
  AND classid::int8 = $1 AND objid::int8 = $2 AND objsubid = 2`;

/**
 * One backup of a cluster at a time, from whatever host and through whichever database. The lock belongs to the session
 * and ends with it, however the run ends. Of two that begin in the same moment in different databases neither goes on.
 * Rejects with `BACKUP_RUNNING`.
 */
export async function takeBackupLock(
  sql: SqlConnection,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const [row] = await sql.query<{ held: boolean }>("SELECT pg_try_advisory_lock($1, $2) AS held", [...LOCK], options);
  if (row?.held === true && (await sql.query(HELD_ELSEWHERE, LOCK, options)).length === 0) return;
  throw new SoarError("BACKUP_RUNNING", "unable to begin: another backup of this cluster is running", {
    hint: "SELECT * FROM pg_stat_progress_basebackup shows its progress. Wait for it, or stop it first.",
  });
}

export interface LockWatch extends Disposable {
  /** What it stopped the copying for. */
  failure(): SoarError | undefined;
}

const INTERVAL_MS = 30_000;

/**
 * Asks now and then whether the session that holds the lock lives: for hours nothing else is asked of it, and a firewall or a
 * restarted pooler may end it. From then on another run may take this one for dead and clean up behind it, so that going
 * on would only be found to have been for nothing at its end. The questions also keep an idle connection open.
 */
export function watchBackupLock(
  sql: SqlConnection,
  { intervalMs = INTERVAL_MS, stop }: { readonly intervalMs?: number | undefined; readonly stop: AbortController },
): LockWatch {
  const end = new AbortController();
  let failure: SoarError | undefined;
  const ask = async (): Promise<void> => {
    for (;;) {
      await delay(intervalMs, undefined, { signal: end.signal });
      await sql.query("SELECT 1");
    }
  };
  ask().catch((error: unknown) => {
    if (end.signal.aborted) return;
    failure = new SoarError(
      "BACKUP_INCOMPLETE",
      `the connection that holds the lock of this backup was lost: ${messageOf(error)}`,
      {
        cause: error,
        hint: "Take the backup again. If it was idle for long, look for a firewall or a pooler that ends such connections; tcp_keepalives_idle of the server helps.",
      },
    );
    stop.abort(failure);
  });
  return {
    failure: () => failure,
    // A question that was not answered yet is not waited for: a dead server must not hold up the end.
    [Symbol.dispose]: () => end.abort(),
  };
}
