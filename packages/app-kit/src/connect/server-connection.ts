import type { Log } from "../screen/log.ts";
import type { Config } from "../options/option-table.ts";
import { postgresConnection, type PostgresConnection } from "./postgres-connection.ts";
import type { postgresOptions } from "../options/postgres-options.ts";

/** The configured server as `@soar/pg-tools` wants it. */
export interface ServerConnection extends Pick<PostgresConnection, "host" | "port" | "user" | "database" | "password"> {
  readonly applicationName: string;
  /** Left out for a socket. */
  readonly tls?: { readonly mode: Exclude<PostgresConnection["sslMode"], "allow">; readonly caPem: string | undefined };
}

export interface ServerConnectionOptions {
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** Another database than the configured one. */
  readonly database?: string;
  readonly log?: Pick<Log, "warn">;
}

/**
 * For SQL and for replication. The password file may have other lines for database `replication`; the first that gives a
 * password serves both. `allow` becomes `prefer`, which never sends more in the clear. Throws `FILE_UNREADABLE`.
 */
export function serverConnection(
  config: Config<typeof postgresOptions>,
  { applicationName, ...options }: ServerConnectionOptions,
): ServerConnection {
  const { host, port, user, database, password, sslMode, sslCaPem } = postgresConnection(config, options);
  const tls = { mode: sslMode === "allow" ? ("prefer" as const) : sslMode, caPem: sslCaPem };
  return {
    host,
    port,
    user,
    database,
    password: password ?? postgresConnection(config, { replication: true }).password,
    applicationName,
    ...(host.startsWith("/") ? {} : { tls }),
  };
}
