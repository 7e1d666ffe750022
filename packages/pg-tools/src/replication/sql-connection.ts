import { SoarError } from "@soar/errors";
import { sendCancelRequest } from "./cancel-request.ts";
import { abortedBy, connectClient, type LoggedInClient } from "./connect-client.ts";
import { type ServerConfig, serverLocation } from "./server-config.ts";
import { commandFailure, LOST_HINT, serverMessageOf } from "./server-failure.ts";

export type SqlRow = Readonly<Record<string, unknown>>;

/** An ordinary session that runs SQL, one statement after the other. */
export interface SqlConnection {
  /** For messages: `user@host:port`. */
  readonly location: string;
  /** For example 150020. */
  readonly serverVersion: number;
  /**
   * Runs one statement and returns its rows; `bigint` and `numeric` columns come as text. An abort cancels it in the
   * server. Rejects with the codes of the server's errors (`SERVER_FAILED`, `SERVER_DENIED`, `SERVER_UNSUITABLE`) or `ABORTED`.
   */
  query<T extends SqlRow = SqlRow>(
    sql: string,
    params?: readonly unknown[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<T[]>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A role's own time limits are meant for applications; a backup may wait for a checkpoint much longer. */
const SETTINGS = {
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  DateStyle: "ISO",
  TimeZone: "UTC",
};

/** Opens a session for SQL. Rejects like every connection: see `connectClient`. */
export async function connectSql(
  config: ServerConfig,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<SqlConnection> {
  const session = await connectClient(config, { settings: SETTINGS, signal: options.signal });
  const { serverVersion, lost } = session;
  const close = async (): Promise<void> => {
    // A connection that is gone already cannot be ended politely.
    if (lost() === undefined) await session.end();
  };
  return {
    location: serverLocation(config),
    serverVersion,
    query: (sql, params, { signal } = {}) => runQuery(session, config, { sql, params, signal }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[] | undefined;
  readonly signal: AbortSignal | undefined;
}

async function runQuery<T extends SqlRow>(
  { query, cancelKey, lost }: LoggedInClient,
  config: ServerConfig,
  { sql, params, signal }: Statement,
): Promise<T[]> {
  throwIfAborted(signal, config);
  const cancel = (): void => sendCancelRequest(config, cancelKey);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return (await query(sql, params)) as T[];
  } catch (error) {
    throwIfAborted(signal, config);
    const failure = serverMessageOf(error) ?? serverMessageOf(lost());
    if (failure !== undefined) throw commandFailure(`run SQL on '${serverLocation(config)}'`, failure);
    const reason = lost();
    if (reason === undefined) throw error;
    throw new SoarError("SERVER_FAILED", `unable to run SQL on '${serverLocation(config)}': ${reason.message}`, {
      hint: LOST_HINT,
      cause: error,
      retryable: true,
    });
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

function throwIfAborted(signal: AbortSignal | undefined, config: ServerConfig): void {
  if (signal?.aborted === true) throw abortedBy(signal, config);
}
