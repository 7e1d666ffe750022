import type { SqlConnection } from "@soar/pg-tools/replication";

const FIRING = `SELECT oid::int8::float8 AS oid, evtenabled::text AS state FROM pg_event_trigger WHERE evtenabled <> 'D'`;

/**
 * Does something in a database of a scratch cluster without its event triggers, which are the source's business: they forbid
 * what we have to do, or write it down. Until version 16 a server knows no switch for all of them, and those that are
 * enabled ALWAYS or for replicas fire whatever the session is. By the catalog itself, because a dump has them as they were.
 *
 * @param connection of a superuser, that may write
 */
export async function withoutEventTriggers<T>(connection: SqlConnection, work: () => Promise<T>): Promise<T> {
  const firing = await connection.query<{ oid: number; state: string }>(FIRING);
  for (const { oid } of firing) await setState(connection, oid, "D");
  try {
    return await work();
  } finally {
    for (const { oid, state } of firing) await setState(connection, oid, state);
  }
}

async function setState(connection: SqlConnection, oid: number, state: string): Promise<void> {
  await connection.query(`UPDATE pg_event_trigger SET evtenabled = $2::"char" WHERE oid = $1::oid`, [oid, state]);
}
