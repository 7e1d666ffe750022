import { randomBytes } from "node:crypto";
import { connectSql, type ConnectionConfig } from "@soar/pg-tools/replication";
import { isUnicode } from "@soar/pg-tools/server-text";

/**
 * A superuser of a scratch server whose name programs can be told: their environment and the address of a database are UTF-8
 * here, and a role's name may be anything. Where the source has none of that kind, the scratch server gets one more, which
 * owns nothing and so is in no dump.
 */
export async function findProgramRole(server: ConnectionConfig, signal: AbortSignal): Promise<ConnectionConfig> {
  if (isUnicode(server.user)) return server;
  const user = randomRole();
  await using connection = await connectSql(server, { writes: true, signal });
  await connection.query(`CREATE ROLE ${user} SUPERUSER LOGIN`);
  return { ...server, user };
}

/** A name that no role of the source has. */
export function randomRole(): string {
  return `soar_${randomBytes(4).toString("hex")}`;
}
