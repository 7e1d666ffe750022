import { isSoarError } from "@soar/errors";
import { connectSql, type ConnectionConfig } from "@soar/pg-tools/replication";
import type { CheckResult, DrillServer } from "./drill-server.ts";

const DATABASE = `SELECT datname AS name, datcollversion AS then, pg_database_collation_actual_version(oid) AS now
FROM pg_database WHERE datname = current_database() AND datcollversion IS NOT NULL AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)`;

const COLLATIONS = `SELECT collname AS name, collversion AS then, pg_collation_actual_version(oid) AS now
FROM pg_collation WHERE collversion IS NOT NULL AND collversion IS DISTINCT FROM pg_collation_actual_version(oid) ORDER BY oid`;

/** A type alias, because rows are records. */
type Mismatch = { readonly name: string; readonly then: string; readonly now: string | null };

/**
 * Finds collations that sort differently here than where the indexes were built: those are broken on this host, and a
 * restore in need would break them on its host just so (safety, trap 46).
 */
export async function checkCollations({ scratch: { server }, databases, signal }: DrillServer): Promise<CheckResult> {
  const found: string[] = [];
  for (const database of databases) {
    try {
      const rows = await readMismatches({ ...server, database }, signal);
      found.push(
        ...rows.map(({ name, then, now }) => `${name} in '${database}' (${then} at the source, ${now ?? "none"} here)`),
      );
    } catch (error) {
      // A collation that this host does not know at all cannot be asked for its version.
      if (!isSoarError(error) || error.code === "ABORTED") throw error;
      found.push(`of '${database}': ${error.message}`);
    }
  }
  if (found.length === 0)
    return { outcome: "passed", detail: "collations have the versions that they have at the source" };
  const more = found.length > 3 ? ` and ${found.length - 3} more` : "";
  return {
    outcome: "warning",
    detail: `collations have other versions on this host: ${found.slice(0, 3).join(", ")}${more}; after a restore here, indexes on text need REINDEX`,
  };
}

/** Of its own, because the bundler's `await using` remembers in a loop what an earlier round has thrown. */
async function readMismatches(server: ConnectionConfig, signal: AbortSignal | undefined): Promise<Mismatch[]> {
  await using connection = await connectSql(server, { signal });
  return [...(await connection.query<Mismatch>(DATABASE)), ...(await connection.query<Mismatch>(COLLATIONS))];
}
