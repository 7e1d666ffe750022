import { isSoarError, SoarError } from "@soar/errors";
import { type Lsn, parseLsn } from "@soar/pg-tools";
import type { SqlConnection } from "@soar/pg-tools/replication";

/** What the server says at the end of a backup that was begun in this session. */
export interface StoppedBackup {
  readonly stopLsn: Lsn;
  readonly timeline: number;
  /** `backup_label`, byte for byte. */
  readonly label: string;
  /** Empty where there are no tablespaces. */
  readonly tablespaceMap: string;
}

/**
 * Ends the backup without waiting for its WAL. On a standby the position is the one that it had replayed to; its timeline is
 * not part of what `pg_backup_stop` gives. Rejects with `BACKUP_INCOMPLETE`, for example when a standby was promoted meanwhile.
 */
export async function stopBackup(
  sql: SqlConnection,
  { signal }: { readonly signal: AbortSignal | undefined },
): Promise<StoppedBackup> {
  try {
    const [stopped] = await sql.query<{ lsn: string; label: string; map: string | null }>(
      "SELECT lsn::text AS lsn, labelfile AS label, spcmapfile AS map FROM pg_backup_stop(false)",
      [],
      { signal },
    );
    const [position] = await sql.query<{ timeline: number }>(
      "SELECT CASE WHEN pg_is_in_recovery() THEN min_recovery_end_timeline ELSE timeline_id END AS timeline FROM pg_control_recovery(), pg_control_checkpoint()",
      [],
      { signal },
    );
    if (stopped === undefined || position === undefined)
      throw new SoarError("SERVER_FAILED", "the server said nothing");
    const { lsn, label, map } = stopped;
    return { stopLsn: parseLsn(lsn), timeline: position.timeline, label, tablespaceMap: map ?? "" };
  } catch (cause) {
    if (!isSoarError(cause) || cause.code === "ABORTED") throw cause;
    throw new SoarError("BACKUP_INCOMPLETE", `unable to finish the base backup: ${cause.message}`, {
      hint: "Look into the server's log, then take the backup again.",
      cause,
    });
  }
}
