import { SoarError } from "@soar/errors";
import { types } from "pg";
import { parseDataRow, parseRowDescription, parseServerMessage, type ResultColumn } from "./backend-messages.ts";
import { connectClient, type LoggedInClient } from "./connect-client.ts";
import { type Frame, MESSAGE } from "./frame-parser.ts";
import { databaseOf, type ConnectionConfig } from "./connection-config.ts";
import { commandFailure, type ServerMessage } from "./server-failure.ts";
import { ServerSession } from "./server-session.ts";
import { sessionSettings, settingsAfterLogin, type SessionOptions, unicodeEncoding } from "./session-settings.ts";
import { liftTransactionLimit } from "./transaction-limit.ts";
import { queryMessage, type SqlValue, statementMessages } from "./sql-messages.ts";

type SqlRow = Readonly<Record<string, unknown>>;

/** An ordinary session that runs SQL, one statement after the other. */
export interface SqlConnection {
  /** For messages: `user@host:port`. */
  readonly location: string;
  /** The one that was entered. */
  readonly database: string;
  /** Of the database, as the server calls it: for example `UTF8`. */
  readonly encoding: string;
  /** In which a program exchanges UTF-8 with it; as `encoding` where it has no other form. */
  readonly unicodeEncoding: string;
  /** For example 150020. */
  readonly serverVersion: number;
  /** Of our end of the connection; undefined over a unix socket. */
  readonly localPort: number | undefined;
  /**
   * Runs one statement and returns its rows; `bigint` and `numeric` columns come as text, and text that is no UTF-8 as
   * `decodeServerText` has it. An abort cancels it in the server. Rejects with the codes of the server's errors
   * (`SERVER_FAILED`, `SERVER_DENIED`, `SERVER_UNSUITABLE`) or `ABORTED`.
   */
  query<T extends SqlRow = SqlRow>(
    sql: string,
    values?: readonly SqlValue[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<T[]>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ConnectSqlOptions extends SessionOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a session for SQL in which nothing counts that was set for the role, the database or the server: see
 * `sessionSettings`. Rejects like every connection: see `connectClient`.
 */
export async function connectSql(config: ConnectionConfig, options: ConnectSqlOptions = {}): Promise<SqlConnection> {
  return liftTransactionLimit((limits) => openSession(config, options, { ...sessionSettings(config), ...limits }));
}

async function openSession(
  config: ConnectionConfig,
  options: ConnectSqlOptions,
  settings: Readonly<Record<string, string>>,
): Promise<SqlConnection> {
  const client = await connectClient(config, { settings, signal: options.signal });
  const connection = new Session(config, client);
  try {
    await connection.query(settingsAfterLogin(client, options), [], options);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** pg's parsers are found by any OID, whatever its declaration names. */
const parserOf: (oid: number, format: "text") => (text: string) => unknown = types.getTypeParser;

interface Result {
  columns: readonly ResultColumn[];
  rows: SqlRow[];
}

class Session extends ServerSession implements SqlConnection {
  readonly database: string;
  readonly encoding: string;
  readonly unicodeEncoding: string;
  /** The statement before, whatever became of it. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(config: ConnectionConfig, client: LoggedInClient) {
    super(config, client);
    this.database = databaseOf(config);
    this.encoding = client.serverEncoding;
    this.unicodeEncoding = unicodeEncoding(client.serverEncoding);
  }

  async query<T extends SqlRow>(
    sql: string,
    values: readonly SqlValue[] = [],
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T[]> {
    const statement = this.#before.then(() => this.#run(sql, values, signal));
    this.#before = statement.catch(() => undefined);
    return (await statement) as T[];
  }

  async #run(sql: string, values: readonly SqlValue[], signal: AbortSignal | undefined): Promise<SqlRow[]> {
    this.throwIfAborted(signal);
    using _cancel = this.cancelWith(signal);
    this.send(values.length === 0 ? queryMessage(sql) : statementMessages(sql, values));
    const { rows, failure } = await this.#answer();
    if (failure === undefined) return rows;
    this.throwIfAborted(signal);
    throw commandFailure(`run SQL on '${this.location}'`, failure);
  }

  async #answer(): Promise<{ readonly rows: SqlRow[]; readonly failure: ServerMessage | undefined }> {
    const result: Result = { columns: [], rows: [] };
    let failure: ServerMessage | undefined;
    for (;;) {
      const frame = await this.next();
      if (frame.kind === "message" && frame.type === MESSAGE.errorResponse) failure = parseServerMessage(frame.body);
      else takeFrame(frame, result, this.location);
      // A fatal error is not followed by readiness but by the end of the connection.
      const isOver = frame.kind === "message" && frame.type === MESSAGE.readyForQuery;
      if (isOver || failure?.severity === "FATAL") return { rows: result.rows, failure };
    }
  }
}

function takeFrame(frame: Frame, result: Result, location: string): void {
  if (frame.kind === "copy")
    throw new SoarError("SERVER_FAILED", `unable to run SQL on '${location}': the server answered with a copy stream`);
  if (frame.type === MESSAGE.rowDescription) {
    result.columns = parseRowDescription(frame.body);
    result.rows = [];
  }
  if (frame.type === MESSAGE.dataRow) result.rows.push(rowOf(result.columns, parseDataRow(frame.body)));
}

function rowOf(columns: readonly ResultColumn[], values: readonly (string | null)[]): SqlRow {
  return Object.fromEntries(
    columns.map(({ name, type }, at) => {
      const text = values[at] ?? null;
      return [name, text === null ? null : parserOf(type, "text")(text)];
    }),
  );
}
