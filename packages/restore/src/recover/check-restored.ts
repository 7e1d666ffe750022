import { connectSql, type ConnectionConfig, type SqlConnection } from "@soar/pg-tools/replication";
import { readClusterState } from "@soar/pg-tools/cluster";
import { SoarError } from "@soar/errors";
import type { RestoredChecks } from "../status/restore-record.ts";

export interface CheckRestoredOptions {
  readonly dataDir: string;
  readonly privateDir: string;
  readonly role: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Logs in to every database of the promoted server through its private socket. Rejects with `SERVER_FAILED` when it is not what
 * the log said, and like every connection when one of them cannot be entered.
 */
export async function checkRestored({
  dataDir,
  privateDir,
  role,
  signal,
}: CheckRestoredOptions): Promise<RestoredChecks> {
  const { port } = await readClusterState(dataDir);
  const server: ConnectionConfig = {
    host: privateDir,
    port: port ?? 5432,
    user: role,
    database: "template1",
    applicationName: "soar-restore",
  };
  await using connection = await connectSql(server, { signal });
  const [state] = await connection.query<{ recovering: boolean }>("SELECT pg_is_in_recovery() AS recovering");
  if (state?.recovering !== false)
    throw new SoarError(
      "SERVER_FAILED",
      `the server of '${dataDir}' is still in recovery, although its log says that it has ended`,
      { hint: "Read the server's log in its directory soar-restore." },
    );
  const databases = await connection.query<{ name: string; other: boolean }>(
    // A limit of -2 marks what an interrupted DROP DATABASE has left, which nobody can enter (since 15.4, commit c66a7d75e652).
    "SELECT datname AS name, datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid) AS other FROM pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY datname",
  );
  const found: Awaited<ReturnType<typeof checkDatabase>>[] = [];
  // One after the other: the server may allow few connections.
  for (const { name, other } of databases)
    found.push(await checkDatabase({ ...server, database: name }, other, signal));
  return {
    databases: databases.length,
    otherCollation: databases.filter((_, at) => found[at]?.otherCollation === true).map(({ name }) => name),
    unloggedTables: found.reduce((sum, { unlogged }) => sum + unlogged, 0),
  };
}

async function checkDatabase(
  server: ConnectionConfig,
  otherDefault: boolean,
  signal: AbortSignal | undefined,
): Promise<{ readonly otherCollation: boolean; readonly unlogged: number }> {
  await using connection: SqlConnection = await connectSql(server, { signal });
  const [row] = await connection.query<{ other: boolean; unlogged: number }>(
    `SELECT EXISTS (SELECT FROM pg_collation WHERE collversion IS DISTINCT FROM pg_collation_actual_version(oid)) AS other,
       (SELECT count(*)::int FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r') AS unlogged`,
  );
  return { otherCollation: otherDefault || row?.other === true, unlogged: row?.unlogged ?? 0 };
}
