import { postgresConnection, type Config, type Log, type postgresOptions } from "@soar/app-kit";
import type { ServerConfig } from "@soar/pg-tools";

/** The password file may have other lines for database `replication`; the first that gives a password serves both. */
export function serverOf(config: Config<typeof postgresOptions>, log: Log): ServerConfig {
  const { host, port, user, database, sslMode, sslCaPem, password } = postgresConnection(config, { log });
  const tls = host.startsWith("/") ? {} : { tls: { mode: sslMode === "allow" ? ("prefer" as const) : sslMode, caPem: sslCaPem } };
  return { host, port, user, database, password: password ?? postgresConnection(config, { log, replication: true }).password, applicationName: "soar", ...tls };
}
