import { registerSecret } from "@soar/errors";

/** How to reach one PostgreSQL server. Nothing is taken from the environment or from files: every value is given. */
export interface ConnectionConfig {
  /** Host name, address, or the directory of the unix socket (starts with `/`). */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Text, or a function that is asked at every connection (for tokens that expire). */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** `postgres` unless said otherwise. Without meaning on a physical replication connection. */
  readonly database?: string | undefined;
  readonly tls?: ServerTls | undefined;
  /** Shown in pg_stat_activity and in `synchronous_standby_names`; `soar` unless said otherwise. */
  readonly applicationName?: string | undefined;
  /** A server that we started, with access rules of ours, where the role is a superuser: what the source loads into sessions is left out. */
  readonly isOwnServer?: boolean | undefined;
  /** Of a server that we started: what only some versions know is set in its sessions, too. */
  readonly postgresMajor?: number | undefined;
  /** In which programs of PostgreSQL speak; else in what was set for the role, the database or the server. */
  readonly clientEncoding?: string | undefined;
  /** Until the server is ready for commands; 10 seconds unless said otherwise. */
  readonly connectTimeoutMs?: number | undefined;
}

/**
 * With libpq's meanings: `prefer` (the default over TCP) takes what the server offers and proves nothing, `require`
 * encrypts without proving who answers, `verify-ca` checks the certificate's issuer, `verify-full` its host name too.
 */
export interface ServerTls {
  readonly mode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
  readonly caPem?: string | undefined;
  readonly certPem?: string | undefined;
  readonly keyPem?: string | undefined;
}

/** The database that is meant where none is named. */
export function databaseOf({ database = "postgres" }: ConnectionConfig): string {
  return database;
}

/** For messages: `user@host:port`. Never holds the password. */
export function serverLocation({ user, host, port }: ConnectionConfig): string {
  return `${user}@${host}:${port}`;
}

/** Modes to try one after the other. */
export function tlsAttempts(config: ConnectionConfig): ServerTls[] {
  const tls = config.tls ?? { mode: config.host.startsWith("/") ? "disable" : "prefer" };
  return tls.mode === "prefer" ? [{ ...tls, mode: "require" }, { mode: "disable" }] : [tls];
}

/** A password that can be shown to nobody from here on: it is registered for redaction before it is used. */
export async function readPassword(config: ConnectionConfig): Promise<string | undefined> {
  const password = typeof config.password === "function" ? await config.password() : config.password;
  registerSecret(password);
  return password;
}
