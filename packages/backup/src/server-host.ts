import { readFile } from "node:fs/promises";
import { ownMachineId } from "@soar/durable-files/processes";
import { hasErrorCode } from "@soar/errors";
import type { ConnectionConfig, SqlConnection } from "@soar/pg-tools/replication";

export interface ServerHostOptions {
  /** Name of this machine. */
  readonly host: string;
  readonly server: Pick<ConnectionConfig, "host">;
  /** A random number that the kernel draws when it starts (random(4)). Units of systemd in a container see another one than the rest of it. */
  readonly bootIdFile?: string;
  readonly signal?: AbortSignal | undefined;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/**
 * The machine that the server runs on: this one's name when that is proved, else the name by which it was reached. A restore
 * into the same path of a machine of this name is one in place, which goes on archiving: the machine that only takes the
 * backups must not pass for it.
 */
export async function readServerHost(sql: SqlConnection, options: ServerHostOptions): Promise<string> {
  return (await isHere(sql, options)) ? options.host : options.server.host;
}

/** The same with the published id of that machine (`ownMachineId`); undefined unless it is proved to be this one. */
export async function readServerMachine(
  sql: SqlConnection,
  options: ServerHostOptions,
): Promise<{ readonly host: string; readonly machine: string | undefined }> {
  if (!(await isHere(sql, options))) return { host: options.server.host, machine: undefined };
  return { host: options.host, machine: await ownMachineId() };
}

async function isHere(sql: SqlConnection, options: ServerHostOptions): Promise<boolean> {
  // A unix socket leads nowhere else, and the directory that it lies in is no name of a machine.
  if (/^[/@]/.test(options.server.host)) return true;
  return (await hasOwnBootId(sql, options)) || (await hasBothEnds(sql, options.signal));
}

/** Equal ones prove one machine. Unequal ones prove nothing. */
async function hasOwnBootId(
  sql: SqlConnection,
  { bootIdFile = BOOT_ID, signal }: Pick<ServerHostOptions, "bootIdFile" | "signal">,
): Promise<boolean> {
  const own = await readFile(bootIdFile, "utf8").catch(() => undefined);
  return own !== undefined && own === (await readBootId(sql, signal));
}

/**
 * Whether the connection that the server sees is the very one that we made, from its own address. Behind a tunnel or a proxy the
 * addresses may be equal, too, but the port is another one.
 */
async function hasBothEnds(sql: SqlConnection, signal: AbortSignal | undefined): Promise<boolean> {
  const [row] = await sql.query<{ same: boolean | null }>(
    "SELECT inet_server_addr() = inet_client_addr() AND inet_client_port() = $1 AS same",
    [sql.localPort ?? 0],
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
