import { SoarError } from "@soar/errors";
import type { SqlConnection } from "./sql-connection.ts";

/** What the server itself counts of its archiver, as `pg_stat_archiver` has it. */
export interface ArchiverState {
  /** As text: it counts for the life of the server. */
  readonly archivedCount: string;
  readonly lastArchived: string | undefined;
  readonly lastFailed: string | undefined;
  /**
   * Its last attempt failed and it is still at it: the segment waits, or, where this user may not see what waits, the attempt
   * was made a short time ago. A failure that was settled long ago by somebody, on a server that has archived nothing since, is over.
   */
  readonly failing: boolean;
}

/** PostgreSQL's archiver tries again after 60 s at the latest (PGARCH_AUTOWAKE_INTERVAL); a command takes some time besides. */
const RETRIED_WITHIN_SECONDS = 90;

/** Asks the server for the state of its archiver. Rejects with `SERVER_FAILED` and as `query` does. */
export async function readArchiverState(
  sql: SqlConnection,
  signal: AbortSignal | undefined,
  retriedWithinSeconds = RETRIED_WITHIN_SECONDS,
): Promise<ArchiverState> {
  const [row] = await sql.query<{
    archived: string;
    last_archived: string | null;
    last_failed: string | null;
    unsettled: boolean;
    recent: boolean;
    may: boolean;
  }>(
    `SELECT archived_count::text AS archived, last_archived_wal AS last_archived, last_failed_wal AS last_failed,
       coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) AS unsettled,
       coalesce(clock_timestamp() - last_failed_time < make_interval(secs => ${retriedWithinSeconds}), false) AS recent,
       has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE') AS may
     FROM pg_stat_archiver`,
    [],
    { signal },
  );
  /* v8 ignore next -- a view of one row has one in every version */
  if (row === undefined) throw new SoarError("SERVER_FAILED", "unable to read pg_stat_archiver: it has no row");
  const waits = row.unsettled && row.may && row.last_failed !== null && (await isReady(sql, row.last_failed, signal));
  return {
    archivedCount: row.archived,
    lastArchived: row.last_archived ?? undefined,
    lastFailed: row.last_failed ?? undefined,
    failing: row.unsettled && (waits || row.recent),
  };
}

async function isReady(sql: SqlConnection, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  const [row] = await sql.query<{ waits: boolean }>(
    "SELECT EXISTS (SELECT FROM pg_ls_archive_statusdir() WHERE name = $1 || '.ready') AS waits",
    [name],
    { signal },
  );
  /* v8 ignore next -- EXISTS always gives a row */
  return row?.waits === true;
}
