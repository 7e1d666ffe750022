import { SoarError } from "@soar/errors";
import type { SqlConnection } from "@soar/pg-tools";

/** Any two numbers that nobody else uses for advisory locks: "soar" and "base" in ASCII. */
const LOCK = [0x736f6172, 0x62617365] as const;

/**
 * One backup of a cluster at a time, from whatever host. The lock belongs to the session and ends with it, however the
 * run ends. Advisory locks are per database: the caller is connected to the same one as every other run.
 * Rejects with `BACKUP_RUNNING`.
 */
export async function takeBackupLock(sql: SqlConnection, options: { readonly signal?: AbortSignal | undefined }): Promise<void> {
  const [row] = await sql.query<{ held: boolean }>("SELECT pg_try_advisory_lock($1, $2) AS held", [...LOCK], options);
  if (row?.held === true) return;
  throw new SoarError("BACKUP_RUNNING", "unable to begin: another backup of this cluster is running", {
    hint: "SELECT * FROM pg_stat_progress_basebackup shows its progress. Wait for it, or stop it first.",
  });
}
