import { formatTable, serverConnection, type Config, type Log, type postgresOptions } from "@soar/app-kit";
import { hasErrorCode } from "@soar/errors";
import { connectSomewhere } from "@soar/pg-tools/replication";
import { readClusterState } from "@soar/pg-tools/cluster";

/** Who is connected to a running server that is going to be stopped. */
export interface ConnectedClients {
  readonly clients: readonly Client[];
  /** Why they cannot be told. */
  readonly unknown: string | undefined;
}

export interface Client {
  readonly application: string;
  readonly database: string;
  readonly user: string;
  readonly from: string;
  readonly sessions: number;
}

type ClientRow = { readonly [K in keyof Client]: Client[K] };

/**
 * Of the server that runs in the data directory, whatever server PGHOST and PGPORT name: by its own socket, and where that lets this
 * user not in, by the local address that is configured.
 */
export async function connectedClients(
  dataDir: string,
  config: Config<typeof postgresOptions>,
  log: Log,
  signal: AbortSignal,
): Promise<ConnectedClients> {
  const { socketDir, port = config.port } = await readClusterState(dataDir);
  const bySocket = await clientsOf({ ...config, host: socketDir ?? config.host, port }, log, signal);
  if (bySocket.unknown === undefined || config.host === socketDir || !isLocal(config.host)) return bySocket;
  return await clientsOf({ ...config, port }, log, signal);
}

function isLocal(host: string | undefined): boolean {
  return host === undefined || host.startsWith("/") || ["localhost", "127.0.0.1", "::1"].includes(host);
}

/** Of a server that runs but lets nobody in, the reason is told instead: a restore may be the way out. */
async function clientsOf(
  config: Config<typeof postgresOptions>,
  log: Log,
  signal: AbortSignal,
): Promise<ConnectedClients> {
  try {
    const server = serverConnection(config, { applicationName: "soar-restore", log });
    await using sql = await connectSomewhere(server, { signal });
    const clients = await sql.query<ClientRow>(
      `SELECT coalesce(nullif(application_name, ''), '-') AS application, coalesce(datname, '-') AS database, coalesce(usename, '-') AS "user",
         coalesce(client_addr::text, 'local') AS "from", count(*)::int AS sessions
       FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid()
       GROUP BY 1, 2, 3, 4 ORDER BY sessions DESC, 1, 2, 3, 4`,
    );
    return { clients, unknown: undefined };
  } catch (error) {
    if (
      !hasErrorCode(
        error,
        "SERVER_UNREACHABLE",
        "SERVER_DENIED",
        "SERVER_FAILED",
        "SERVER_UNSUITABLE",
        "FILE_UNREADABLE",
      )
    )
      throw error;
    return { clients: [], unknown: error.message };
  }
}

/** For the plan, below its lines. */
export function clientsText({ clients, unknown }: ConnectedClients): string {
  if (unknown !== undefined) return `Who is connected cannot be told: ${unknown}`;
  if (clients.length === 0) return "Nobody is connected to the server that will be stopped.";
  const table = formatTable(
    [
      { header: "SESSIONS", align: "right" },
      { header: "APPLICATION" },
      { header: "DATABASE" },
      { header: "USER" },
      { header: "FROM" },
    ],
    clients.map(({ sessions, application, database, user, from }) => [
      String(sessions),
      application,
      database,
      user,
      from,
    ]),
    { width: Infinity },
  );
  return `Connected to the server that will be stopped:\n${table}`;
}
