import type { Socket } from "node:net";
import { SoarError } from "@soar/errors";
import { Client, type ClientConfig } from "pg";
import { connectAsServer } from "./connect-as-server.ts";
import type { CancelKey } from "./cancel-request.ts";
import { connectFailure } from "./server-failure.ts";
import { NO_CONVERSION } from "./session-settings.ts";
import {
  databaseOf,
  readPassword,
  type ConnectionConfig,
  serverLocation,
  type ServerTls,
  tlsAttempts,
} from "./connection-config.ts";
import { startupMessage, startupOptions } from "./startup-message.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_DELAY_MS = 30_000;

export interface ConnectOptions {
  /** `true` is a physical replication connection, `database` one that also runs SQL. */
  readonly replication?: "true" | "database";
  /** Server settings for this session; at least one, because without any pg takes those of PGOPTIONS. */
  readonly settings: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A session that has logged in, without a type of pg, so that users of this package need not have pg's. Whoever reads the
 * socket learns of its end.
 */
export interface LoggedInClient {
  readonly socket: Socket;
  /** For example 150020. */
  readonly serverVersion: number;
  /** Of the database, as the server calls it; of a connection for replication alone without meaning. */
  readonly serverEncoding: string;
  readonly cancelKey: CancelKey | undefined;
}

/**
 * What of pg is used beside its documented interface: the socket after authentication and TLS, the key for CancelRequest,
 * and what sends the first message, which we replace because pg's own can have UTF-8 only. Names since pg 7; a test fails
 * when they change.
 */
interface PgInternals {
  readonly connection: NodeJS.EventEmitter & {
    readonly stream: Socket;
    startup(parameters: Readonly<Record<string, string>>): void;
  };
  readonly processID: number | null;
  readonly secretKey: number | null;
}

/** Connects and logs in. Rejects with `SERVER_UNREACHABLE`, `SERVER_DENIED`, `SERVER_UNSUITABLE`, `SERVER_VERSION`, `CONFIG_INVALID` or `ABORTED`. */
export async function connectClient(config: ConnectionConfig, options: ConnectOptions): Promise<LoggedInClient> {
  const attempts = tlsAttempts(config);
  for (const [index, tls] of attempts.entries()) {
    try {
      return await connectOnce(config, tls, options);
    } catch (error) {
      const refusedTls = error instanceof Error && error.message === "The server does not support SSL connections";
      if (refusedTls && index + 1 < attempts.length) continue;
      throw connectFailure(error, config, { replication: options.replication !== undefined });
    }
  }
  throw new Error("no way to connect was tried");
}

async function connectOnce(config: ConnectionConfig, tls: ServerTls, options: ConnectOptions): Promise<LoggedInClient> {
  if (options.signal?.aborted === true) throw abortedBy(options.signal, config);
  const timeoutMs = config.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const stream = await connectAsServer(config, { timeoutMs, signal: options.signal }).catch((error: unknown) => {
    throw options.signal?.aborted === true ? abortedBy(options.signal, config) : error;
  });
  const client = new Client({
    ...clientConfig(config, tls, options),
    ...(stream === undefined ? {} : { stream: () => stream }),
  });
  const internals = client as unknown as PgInternals;
  const { connection } = internals;
  connection.startup = (parameters) =>
    void connection.stream.write(startupMessage({ ...parameters, client_encoding: NO_CONVERSION }));
  const reported = new Map<string, string>();
  connection.on("parameterStatus", (status: { parameterName: string; parameterValue: string }) =>
    reported.set(status.parameterName, status.parameterValue),
  );
  // Whoever reads the socket is told in its own way; unheard, it would end this process.
  client.on("error", () => undefined);
  // pg rejects with what its socket was destroyed with.
  const abort = (): void => void connection.stream.destroy(abortedBy(options.signal, config));
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    await client.connect();
  } catch (error) {
    connection.stream.destroy();
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", abort);
  }
  return {
    socket: connection.stream,
    serverVersion: versionNumber(reported.get("server_version") ?? ""),
    serverEncoding: reported.get("server_encoding") ?? "",
    cancelKey: cancelKeyOf(internals),
  };
}

function cancelKeyOf({ processID, secretKey }: PgInternals): CancelKey | undefined {
  return processID === null || secretKey === null ? undefined : { processId: processID, secretKey };
}

/** Every value is given, because pg fills gaps from PG* variables and from ~/.pgpass. */
function clientConfig(config: ConnectionConfig, tls: ServerTls, options: ConnectOptions): ClientConfig {
  return {
    host: config.host,
    port: config.port,
    user: config.user,
    database: databaseOf(config),
    password: () => requirePassword(config),
    ssl: tlsOptions(tls),
    application_name: config.applicationName ?? "soar",
    options: startupOptions(options.settings),
    connectionTimeoutMillis: config.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
    ...(options.replication === undefined ? {} : { replication: options.replication }),
  };
}

/** Called only when the server asks. */
async function requirePassword(config: ConnectionConfig): Promise<string> {
  const password = await readPassword(config);
  if (password !== undefined && password !== "") return password;
  throw new SoarError(
    "SERVER_DENIED",
    `unable to connect to '${serverLocation(config)}': the server asks for a password and none is configured`,
    {
      hint: "Configure the password of this role, or let it in without one in pg_hba.conf (peer, cert).",
    },
  );
}

function tlsOptions({ mode, caPem, certPem, keyPem }: ServerTls): ClientConfig["ssl"] {
  if (mode === "disable") return false;
  const files = {
    ...(caPem === undefined ? {} : { ca: caPem }),
    ...(certPem === undefined ? {} : { cert: certPem }),
    ...(keyPem === undefined ? {} : { key: keyPem }),
  };
  if (mode === "verify-full") return { ...files, rejectUnauthorized: true };
  if (mode === "verify-ca") return { ...files, rejectUnauthorized: true, checkServerIdentity: () => undefined };
  return { ...files, rejectUnauthorized: false };
}

/** `15.20 (Debian ...)` and `18beta1` are 150020 and 180000. */
function versionNumber(text: string): number {
  const [, major, minor] = /^(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return Number(major ?? 0) * 10_000 + Number(minor ?? 0);
}

/** The failure of a call that its caller stopped. */
export function abortedBy(signal: AbortSignal | undefined, config: ConnectionConfig): SoarError {
  return new SoarError("ABORTED", `unable to go on with '${serverLocation(config)}': stopped by the caller`, {
    cause: signal?.reason,
  });
}
