import { isSoarError } from "@soar/errors";
import { formatLsn } from "@soar/pg-tools";
import { connectReplication, identifySystem, type ConnectionConfig } from "@soar/pg-tools/replication";
import type { Notes } from "./examination.ts";

/** Whether a base backup and the tail may connect: the right of the role, and a line of pg_hba.conf, which counts separately for replication. */
export async function examineReplication(
  server: ConnectionConfig,
  notes: Notes,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await using connection = await connectReplication(server, { signal });
    const { timeline, walLsn } = await identifySystem(connection, { signal });
    notes.ok(
      "replication",
      `'${server.user}' may connect for replication (timeline ${timeline}, WAL position ${formatLsn(walLsn)})`,
    );
  } catch (error) {
    if (!isSoarError(error) || error.code === "ABORTED") throw error;
    const source = server.host.startsWith("/")
      ? `local replication ${server.user} peer`
      : `host replication ${server.user} samehost scram-sha-256`;
    notes.error(
      "replication",
      error.message,
      `Give the role the right (ALTER ROLE ${server.user} REPLICATION), and pg_hba.conf a line '${source}', then reload. ${error.hint ?? ""}`.trim(),
    );
  }
}
