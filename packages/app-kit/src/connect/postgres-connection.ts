import { lstatSync, readFileSync } from "node:fs";
import path from "node:path";
import { registerSecret, SoarError } from "@soar/errors";
import type { Log } from "../screen/log.ts";
import { accountOf } from "../options/env-file.ts";
import type { Config } from "../options/option-table.ts";
import { findPassword } from "./password-file.ts";
import type { postgresOptions } from "../options/postgres-options.ts";

/** Where and as whom to connect; plain values for `@soar/pg-tools` and for `pg`. */
export interface PostgresConnection {
  /** Host name, address or socket directory. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: string | undefined;
  readonly sslMode: Config<typeof postgresOptions>["sslmode"];
  /** Certificates (PEM) to check the server's against. */
  readonly sslCaPem: string | undefined;
}

export interface PostgresConnectionOptions {
  /** Another database than the configured one. */
  readonly database?: string;
  /** The password is looked up for database `replication`, as libpq does for physical replication. */
  readonly replication?: boolean;
  /** Gets a warning about a password file that is left alone. */
  readonly log?: Pick<Log, "warn">;
}

/** Completes the configured connection: default socket, password from the password file. Throws `FILE_UNREADABLE`. */
export function postgresConnection(
  config: Config<typeof postgresOptions>,
  options: PostgresConnectionOptions = {},
): PostgresConnection {
  const database = options.database ?? config.dbname;
  const host = config.host ?? findSocketDirectory(config.port, options) ?? "localhost";
  return {
    host,
    port: config.port,
    user: config.username,
    database,
    password:
      config.password ??
      passwordFromFile(config, {
        host,
        database: options.replication === true ? "replication" : database,
        log: options.log,
      }),
    sslMode: config.sslmode,
    sslCaPem: config.sslrootcert === undefined ? undefined : readCertificates(config.sslrootcert, "PGSSLROOTCERT"),
  };
}

/** Reads a file of certificates. Throws `FILE_UNREADABLE` naming the option, and `CONFIG_INVALID` for another kind of file. */
export function readCertificates(file: string, option: string): string {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (cause) {
    const fact = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new SoarError("FILE_UNREADABLE", `unable to read '${file}': ${fact}`, { hint: `Check ${option}.`, cause });
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new SoarError("CONFIG_INVALID", `unable to use '${file}' for ${option}: it holds no PEM certificate`, {
      hint: "Name a file with certificates between BEGIN CERTIFICATE and END CERTIFICATE.",
    });
  }
  return pem;
}

function passwordFromFile(
  config: Config<typeof postgresOptions>,
  query: { host: string; database: string; log: Pick<Log, "warn"> | undefined },
): string | undefined {
  const { password, warning } = findPassword(
    { host: query.host, port: config.port, database: query.database, user: config.username },
    config.passfile,
  );
  if (warning !== undefined) query.log?.warn(warning);
  registerSecret(password);
  return password;
}

interface SocketPlaces {
  readonly log?: Pick<Log, "warn"> | undefined;
  /** Packages of Debian and Red Hat put the socket into the first, a PostgreSQL built by hand into the other. */
  readonly directories?: readonly string[];
}

/**
 * Where a server of this machine listens that is to be used without being named. Where everybody may make names, as in `/tmp`, one
 * of root's, ours, or of `postgres` only: anybody could listen there while the server is away, and be sent a password.
 */
export function findSocketDirectory(
  port: number,
  { log, directories = ["/var/run/postgresql", "/tmp"] }: SocketPlaces = {},
): string | undefined {
  return directories.find((directory) => {
    const socket = path.join(directory, `.s.PGSQL.${port}`);
    const found = lstatSync(socket, { throwIfNoEntry: false });
    if (found === undefined) return false;
    const isShared = ((lstatSync(directory, { throwIfNoEntry: false })?.mode ?? 0) & 0o002) !== 0;
    if (!isShared || [0, process.geteuid?.()].includes(found.uid) || found.uid === accountOf("postgres")?.uid)
      return true;
    log?.warn(
      `'${socket}' is not used: it belongs to user ${found.uid}. If that is your server's, set PGHOST=${directory}`,
    );
    return false;
  });
}
