import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerSecret } from "@soar/errors";
import type { ServerConfig } from "@soar/pg-tools";

export interface LibpqEnvironment extends AsyncDisposable {
  /** The whole environment of the program. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * The same connection for a program of PostgreSQL. Everything goes through the environment, which other users of the
 * machine cannot read, and nothing through arguments, which they can. Certificates are files to libpq: they lie in a private directory
 * until this is disposed of.
 */
export async function openLibpqEnvironment(server: ServerConfig): Promise<LibpqEnvironment> {
  const { host, port, user, applicationName = "soar", connectTimeoutMs = 10_000, tls } = server;
  const password = typeof server.password === "function" ? await server.password() : server.password;
  registerSecret(password);
  const files = await writeCertificates(server);
  return {
    variables: {
      // Messages are compared and shown; a distribution's wrapper of the program needs a path.
      LC_ALL: "C",
      PATH: "/usr/local/bin:/usr/bin:/bin",
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGAPPNAME: applicationName,
      PGCONNECT_TIMEOUT: String(Math.ceil(connectTimeoutMs / 1000)),
      PGGSSENCMODE: "disable",
      ...(tls === undefined ? {} : { PGSSLMODE: tls.mode }),
      ...(password === undefined ? {} : { PGPASSWORD: password }),
      ...files.variables,
    },
    [Symbol.asyncDispose]: files.remove,
  };
}

async function writeCertificates({ tls }: ServerConfig): Promise<{ variables: Record<string, string>; remove: () => Promise<void> }> {
  const contents = { PGSSLROOTCERT: tls?.caPem, PGSSLCERT: tls?.certPem, PGSSLKEY: tls?.keyPem };
  const given = Object.entries(contents).flatMap(([name, pem]) => (pem === undefined ? [] : [{ name, pem }]));
  if (given.length === 0) return { variables: {}, remove: () => Promise.resolve() };
  const directory = await mkdtemp(join(tmpdir(), "soar-libpq-"));
  const variables: Record<string, string> = {};
  for (const { name, pem } of given) {
    variables[name] = join(directory, name);
    await writeFile(join(directory, name), pem, { mode: 0o600 });
  }
  return { variables, remove: () => rm(directory, { recursive: true, force: true }) };
}
