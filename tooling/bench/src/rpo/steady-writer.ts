import { setTimeout as delay } from "node:timers/promises";
import { connectSql, type ConnectionConfig } from "@soar/pg-tools/replication";

export interface Acknowledged {
  readonly xid: number;
  /** When COMMIT had returned, by this process's clock. */
  readonly atMs: number;
}

export interface SteadyWriter {
  readonly acknowledged: readonly Acknowledged[];
  /** Resolves when the server is gone. */
  readonly ended: Promise<void>;
}

/** A kilobyte a row: segments of 1 MiB are full within seconds. */
const FILLER = "x".repeat(1000);

/** Commits one row after the other on one connection, with a pause between, until the server is gone. */
export async function startWriter(server: ConnectionConfig, pauseMs: number): Promise<SteadyWriter> {
  const connection = await connectSql(server, { writes: true });
  const acknowledged: Acknowledged[] = [];
  const write = async (): Promise<void> => {
    for (let n = 0; ; n += 1) {
      const [row] = await connection.query<{ xid: number }>(
        "insert into public.t values ($1, $2) returning pg_current_xact_id()::text::int as xid",
        [n, FILLER],
      );
      acknowledged.push({ xid: row?.xid ?? 0, atMs: performance.now() });
      await delay(pauseMs);
    }
  };
  // A killed server is how it ends.
  return { acknowledged, ended: write().catch(() => undefined) };
}
