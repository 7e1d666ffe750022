import { isSoarError } from "@soar/errors";
import { connectSomewhere, type ConnectionConfig } from "@soar/pg-tools/replication";
import type { CallOptions } from "@soar/storage";
import type { ServerWord } from "./quick/check-last-archived.ts";

/** A server that does not answer must not hold a verification up, which needs none. */
const PATIENCE_MS = 10_000;

/**
 * Asks the server whose repository this is what it was told to be archived. `server` is called here, because the settings that
 * lead to it may be unreadable, which is no reason not to verify. Rejects with `ABORTED` only.
 */
export async function askServer(
  server: () => ConnectionConfig,
  systemIdentifier: string,
  { signal }: CallOptions,
): Promise<ServerWord> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    await using connection = await connectSomewhere(server(), {
      signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
    });
    const [row] = await connection.query<{ id: string; last: string | null }>(
      "SELECT system_identifier::text AS id, (SELECT last_archived_wal FROM pg_stat_archiver) AS last FROM pg_control_system()",
    );
    if (row?.id === systemIdentifier) return { lastArchived: row.last ?? undefined };
    return { unusable: `the server at ${connection.location} is another cluster, with system identifier ${row?.id}` };
  } catch (error) {
    if (!isSoarError(error) || signal?.aborted === true) throw error;
    return { unusable: patience.aborted ? `it did not answer within ${PATIENCE_MS / 1000} s` : error.message };
  }
}
