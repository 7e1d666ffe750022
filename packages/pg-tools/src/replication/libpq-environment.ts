import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Owner, replaceFile } from "@soar/durable-files";
import { openTemporaryDirectory } from "@soar/durable-files/directories";
import { findServerUser } from "./connect-as-server.ts";
import { readPassword, type ConnectionConfig } from "./connection-config.ts";
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
export async function libpqEnvironment(
  server: ConnectionConfig,
  files: LibpqFiles = {},
): Promise<Record<string, string>> {
  const {
    host,
    port,
    user,
    database,
    applicationName = "soar",
    clientEncoding,
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
    ...(clientEncoding === undefined ? {} : { PGCLIENTENCODING: clientEncoding }),
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

export interface LibpqEnvironment extends AsyncDisposable {
  /** The whole environment of the program. */
  readonly variables: Readonly<Record<string, string>>;
  /** Who is to run it, where this is root: see `findServerUser`. */
  readonly owner: Owner | undefined;
}

/**
 * The same connection for a program of PostgreSQL. Certificates are files to libpq: they lie in a private directory until this
 * is disposed of, or, where this process is killed, until the next one.
 */
export async function openLibpqEnvironment(server: ConnectionConfig): Promise<LibpqEnvironment> {
  const owner = await findServerUser(server);
  const variables = await libpqEnvironment(server);
  // Last, because nobody disposes of them where this rejects.
  const files = await writeCertificates(server);
  return {
    variables: { ...variables, ...files.variables },
    owner,
    [Symbol.asyncDispose]: files.remove,
  };
}

async function writeCertificates({
  tls,
}: ConnectionConfig): Promise<{ variables: LibpqFiles; remove: () => Promise<void> }> {
  const contents = { PGSSLROOTCERT: tls?.caPem, PGSSLCERT: tls?.certPem, PGSSLKEY: tls?.keyPem };
  const given = Object.entries(contents).flatMap(([name, pem]) => (pem === undefined ? [] : [{ name, pem }]));
  if (given.length === 0) return { variables: {}, remove: () => Promise.resolve() };
  const directory = await openTemporaryDirectory(tmpdir(), "soar-libpq-");
  const remove = async (): Promise<void> => await directory[Symbol.asyncDispose]();
  const variables: Record<string, string> = {};
  try {
    for (const { name, pem } of given) {
      variables[name] = join(directory.path, name);
      await replaceFile(join(directory.path, name), pem, { mode: 0o600, sync: "none" });
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return { variables, remove };
}
