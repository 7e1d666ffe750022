import { readFile } from "node:fs/promises";
import { hasErrorCode } from "@soar/errors";
import type { ConnectionConfig, SqlConnection } from "@soar/pg-tools/replication";

export interface ServerHostOptions {
  /** Name of this machine. */
  readonly host: string;
  readonly server: Pick<ConnectionConfig, "host">;
  /** A random number that the kernel draws when it starts (random(4)); containers share that of their machine. */
  readonly bootIdFile?: string;
  readonly signal?: AbortSignal | undefined;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/**
 * The machine that the server runs on: this one's name when that is proved, else the name by which it was reached. A restore
 * into the same path of a machine of this name is one in place, which goes on archiving: the machine that only takes the
 * backups must not pass for it.
 */
export async function readServerHost(
  sql: SqlConnection,
  { host, server, bootIdFile = BOOT_ID, signal }: ServerHostOptions,
): Promise<string> {
  return (await isOnThisMachine(sql, { bootIdFile, signal })) ? host : server.host;
}

async function isOnThisMachine(
  sql: SqlConnection,
  { bootIdFile, signal }: { readonly bootIdFile: string; readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  const own = await readFile(bootIdFile, "utf8").catch(() => undefined);
  const there = await readBootId(sql, signal);
  if (own !== undefined && there !== undefined) return own === there;
  // Through a tunnel the addresses may be equal, too; only a role without the right to read files is judged by them.
  const [row] = await sql.query<{ same: boolean }>(
    "SELECT inet_server_addr() IS NOT DISTINCT FROM inet_client_addr() AS same",
    [],
    { signal },
  );
  return row?.same === true;
}

/** Undefined where the role may not read files of the server, or its system has none like this. */
async function readBootId(sql: SqlConnection, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    const [row] = await sql.query<{ id: string | null }>(
      "SELECT convert_from(pg_read_binary_file($1, 0, 64, true), 'UTF8') AS id",
      [BOOT_ID],
      { signal },
    );
    return row?.id ?? undefined;
  } catch (error) {
    if (hasErrorCode(error, "SERVER_DENIED", "SERVER_FAILED")) return undefined;
    throw error;
  }
}
