import { readPassword, type ServerConfig } from "./server-config.ts";
import { programSettings } from "./session-settings.ts";
import { startupOptions } from "./startup-message.ts";

/** Paths of certificates and keys, as libpq wants them. */
export type LibpqFiles = Readonly<Partial<Record<"PGSSLROOTCERT" | "PGSSLCERT" | "PGSSLKEY", string>>>;

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/**
 * The whole environment of a program of PostgreSQL that is to log in as this configuration says, in a session in which no
 * limit counts that was set for the role, the database or the server. Everything goes through
 * the environment, which other users of the machine cannot read, and nothing through arguments, which they can.
 */
export async function libpqEnvironment(server: ServerConfig, files: LibpqFiles = {}): Promise<Record<string, string>> {
  const {
    host,
    port,
    user,
    database,
    applicationName = "soar",
    connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS,
    tls,
  } = server;
  const password = await readPassword(server);
  return {
    // Messages are compared and shown; a distribution's wrapper of the program needs a path.
    LC_ALL: "C",
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    ...(database === undefined ? {} : { PGDATABASE: database }),
    PGAPPNAME: applicationName,
    PGOPTIONS: startupOptions(programSettings(server)),
    PGCONNECT_TIMEOUT: String(Math.ceil(connectTimeoutMs / 1000)),
    PGGSSENCMODE: "disable",
    PGSSLMODE: tls?.mode ?? (host.startsWith("/") ? "disable" : "prefer"),
    ...files,
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    // The password is known; a password file of whoever runs this must not give another one.
    PGPASSFILE: "/nonexistent",
  };
}
