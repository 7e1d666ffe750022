import { parseLsn, type Lsn } from "@soar/pg-tools";
import type { SqlConnection } from "@soar/pg-tools/replication";

const POSITION =
  "select (case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_flush_lsn() end)::text as lsn";

/** Up to where the server has written WAL to its disk; undefined on a standby that has received none. */
export async function readPosition(connection: SqlConnection, signal: AbortSignal): Promise<Lsn | undefined> {
  const [row] = await connection.query<{ lsn: string | null }>(POSITION, [], { signal });
  return typeof row?.lsn === "string" ? parseLsn(row.lsn) : undefined;
}
