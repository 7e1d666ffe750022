import { isSoarError, SoarError } from "@soar/errors";
import type { SqlConnection } from "@soar/pg-tools/replication";

/** What the server itself counts of its archiver, as `pg_stat_archiver` has it. */
export interface ArchiverState {
  /** As text: it counts for the life of the server. */
  readonly archived_count: string;
  readonly last_archived_wal: string | null;
  readonly last_failed_wal: string | null;
  readonly failing: boolean;
}

/** One clause for a message about WAL that does not arrive. */
export async function describeArchiver(sql: SqlConnection): Promise<string> {
  try {
    return describeState(await readArchiver(sql, undefined));
  } catch (error) {
    if (!isSoarError(error)) throw error;
    // What is reported is the WAL that did not arrive; that the server is gone as well explains it.
    return `the server cannot be asked why: ${error.message}`;
  }
}

function describeState({ last_archived_wal: archived, last_failed_wal: failed, failing }: ArchiverState): string {
  if (failing) return `the server's archive command fails for '${failed}'`;
  return archived === null
    ? "the server has archived nothing yet"
    : `the last segment that the server archived is '${archived}'`;
}

/** The archiver repeats a failing segment until it succeeds: a failure that is newer than the last success is going on. */
export async function readArchiver(sql: SqlConnection, signal: AbortSignal | undefined): Promise<ArchiverState> {
  const [state] = await sql.query<ArchiverState & Record<string, unknown>>(
    "SELECT archived_count::text, last_archived_wal, last_failed_wal, coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) AS failing FROM pg_stat_archiver",
    [],
    { signal },
  );
  if (state === undefined) throw new SoarError("SERVER_FAILED", "unable to read pg_stat_archiver: it has no row");
  return state;
}
