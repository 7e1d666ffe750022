import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { libpqEnvironment, type LibpqFiles, type ServerConfig } from "@soar/pg-tools/replication";

export interface LibpqEnvironment extends AsyncDisposable {
  /** The whole environment of the program. */
  readonly variables: Readonly<Record<string, string>>;
}

/** The same connection for a program of PostgreSQL. Certificates are files to libpq: they lie in a private directory until this is disposed of. */
export async function openLibpqEnvironment(server: ServerConfig): Promise<LibpqEnvironment> {
  const files = await writeCertificates(server);
  return { variables: await libpqEnvironment(server, files.variables), [Symbol.asyncDispose]: files.remove };
}

async function writeCertificates({
  tls,
}: ServerConfig): Promise<{ variables: LibpqFiles; remove: () => Promise<void> }> {
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
