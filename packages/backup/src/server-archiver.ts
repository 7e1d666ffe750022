import { isSoarError, messageOf } from "@soar/errors";
import { readArchiverState, type ArchiverState, type SqlConnection } from "@soar/pg-tools/replication";

/** One clause for a message about WAL that does not arrive. */
export async function describeArchiver(sql: SqlConnection): Promise<string> {
  try {
    return describeState(await readArchiverState(sql, undefined));
  } catch (error) {
    if (!isSoarError(error)) throw error;
    // What is reported is the WAL that did not arrive; that the server is gone as well explains it.
    return `the server cannot be asked why: ${error.message}`;
  }
}

const DOUBT_TIMEOUT_MS = 10_000;

/**
 * Why what the server writes from now on may not reach the bucket; undefined when its archiver does not fail. Asked when the backup exists
 * already, so that nothing rejects and nobody is waited for.
 */
export async function doubtArchiver(sql: SqlConnection, signal: AbortSignal | undefined): Promise<string | undefined> {
  const limit = AbortSignal.timeout(DOUBT_TIMEOUT_MS);
  try {
    const state = await readArchiverState(sql, signal === undefined ? limit : AbortSignal.any([signal, limit]));
    return state.failing ? describeState(state) : undefined;
  } catch (error) {
    return `the server cannot be asked about its archiver: ${messageOf(error)}`;
  }
}

function describeState({ lastArchived, lastFailed, failing }: ArchiverState): string {
  if (failing) return `the server's archive command fails for '${lastFailed}'`;
  return lastArchived === undefined
    ? "the server has archived nothing yet"
    : `the last segment that the server archived is '${lastArchived}'`;
}
