import { SoarError } from "@soar/errors";
import { parseDataRow, parseRowDescription, parseServerMessage, type ResultSet } from "./backend-messages.ts";
import { majorOfVersionNumber, OLDEST_MAJOR } from "../majors/find-major.ts";
import { connectClient } from "./connect-client.ts";
import { MESSAGE } from "./frame-parser.ts";
import { type ConnectionConfig, serverLocation } from "./connection-config.ts";
import { commandFailure, type ServerMessage } from "./server-failure.ts";
import { ServerSession } from "./server-session.ts";
import { liftTransactionLimit } from "./transaction-limit.ts";
import { queryMessage } from "./sql-messages.ts";

export interface ReplicationOptions {
  /** `physical` runs replication commands only; `database` also runs SQL, and is matched by other lines of pg_hba.conf. */
  readonly mode?: "physical" | "database";
  /** Server settings for this session beside those that keep it from being timed out. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The role's and the server's time limits would end a backup whose reader is slow: the session goes without. A
 * `tcp_user_timeout` counts the time for which a full window stays full, which is what backpressure is.
 */
const SETTINGS = { statement_timeout: "0", idle_session_timeout: "0", tcp_user_timeout: "0" };

/** Opens a replication connection to a server of the oldest supported major or a newer one. Rejects as described at `connectClient`. */
export async function connectReplication(
  config: ConnectionConfig,
  options: ReplicationOptions = {},
): Promise<ReplicationConnection> {
  const replication = options.mode === "database" ? "database" : "true";
  const client = await liftTransactionLimit((limits) =>
    connectClient(config, {
      replication,
      settings: { ...SETTINGS, ...limits, ...options.settings },
      signal: options.signal,
    }),
  );
  const connection = new ReplicationConnection(config, client);
  const major = majorOfVersionNumber(client.serverVersion);
  if (major >= OLDEST_MAJOR) return connection;
  await connection.close();
  throw new SoarError("SERVER_VERSION", `unable to use '${serverLocation(config)}': it runs PostgreSQL ${major}`, {
    hint: `PostgreSQL ${OLDEST_MAJOR} or newer is needed.`,
  });
}

/** One walsender of the server. */
export class ReplicationConnection extends ServerSession {
  /** Runs a command that answers with result sets only. An abort ends the connection. */
  async query(
    command: string,
    options: { readonly action: string; readonly signal?: AbortSignal | undefined },
  ): Promise<ResultSet[]> {
    using _abort = this.abortWith(options.signal);
    this.send(queryMessage(command));
    const results: { columns: string[]; rows: (string | null)[][] }[] = [];
    let failure: ServerMessage | undefined;
    for (;;) {
      const frame = await this.next();
      if (frame.kind === "copy")
        throw new SoarError("SERVER_FAILED", `unable to ${options.action}: the server answered with a copy stream`);
      if (frame.type === MESSAGE.rowDescription)
        results.push({ columns: parseRowDescription(frame.body).map(({ name }) => name), rows: [] });
      else if (frame.type === MESSAGE.dataRow) results.at(-1)?.rows.push(parseDataRow(frame.body));
      else if (frame.type === MESSAGE.errorResponse) failure = parseServerMessage(frame.body);
      // A fatal error is not followed by readiness but by the end of the connection.
      if (failure?.severity === "FATAL" || frame.type === MESSAGE.readyForQuery) break;
    }
    if (failure !== undefined) throw commandFailure(options.action, failure);
    return results;
  }
}
