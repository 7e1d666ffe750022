import type { Socket } from "node:net";
import { messageOf, SoarError } from "@soar/errors";
import { parseDataRow, parseRowDescription, parseServerMessage, type ResultSet } from "./backend-messages.ts";
import { type CancelKey, sendCancelRequest } from "./cancel-request.ts";
import { majorOfVersionNumber, OLDEST_MAJOR } from "../majors/find-major.ts";
import { abortedBy, connectClient } from "./connect-client.ts";
import { type Frame, MESSAGE } from "./frame-parser.ts";
import { FrameReader } from "./frame-reader.ts";
import { type ServerConfig, serverLocation } from "./server-config.ts";
import { commandFailure, LOST_HINT, type ServerMessage } from "./server-failure.ts";

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
  config: ServerConfig,
  options: ReplicationOptions = {},
): Promise<ReplicationConnection> {
  const replication = options.mode === "database" ? "database" : "true";
  const { cancelKey, socket, serverVersion } = await connectClient(config, {
    replication,
    settings: { ...SETTINGS, ...options.settings },
    signal: options.signal,
  });
  const connection = new ReplicationConnection({ config, cancelKey, socket, serverVersion });
  if (majorOfVersionNumber(serverVersion) >= OLDEST_MAJOR) return connection;
  await connection.close();
  throw new SoarError(
    "SERVER_VERSION",
    `unable to use '${serverLocation(config)}': it runs PostgreSQL ${majorOfVersionNumber(serverVersion)}`,
    { hint: `PostgreSQL ${OLDEST_MAJOR} or newer is needed.` },
  );
}

/** One walsender of the server. Logged in by pg, from then on read by framing of our own. */
export class ReplicationConnection {
  /** For messages: `user@host:port`. */
  readonly location: string;
  /** For example 150020. */
  readonly serverVersion: number;
  readonly #config: ServerConfig;
  readonly #cancelKey: CancelKey | undefined;
  readonly #socket: Socket;
  readonly #frames: FrameReader;
  #closed = false;

  constructor(parts: {
    config: ServerConfig;
    cancelKey: CancelKey | undefined;
    socket: Socket;
    serverVersion: number;
  }) {
    this.#config = parts.config;
    this.#cancelKey = parts.cancelKey;
    this.#socket = parts.socket;
    this.serverVersion = parts.serverVersion;
    this.location = serverLocation(parts.config);
    this.#frames = new FrameReader(parts.socket);
  }

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
      if (frame.type === MESSAGE.rowDescription) results.push({ columns: parseRowDescription(frame.body), rows: [] });
      else if (frame.type === MESSAGE.dataRow) results.at(-1)?.rows.push(parseDataRow(frame.body));
      else if (frame.type === MESSAGE.errorResponse) failure = parseServerMessage(frame.body);
      // A fatal error is not followed by readiness but by the end of the connection.
      if (failure?.severity === "FATAL" || frame.type === MESSAGE.readyForQuery) break;
    }
    if (failure !== undefined) throw commandFailure(options.action, failure);
    return results;
  }

  /** The next frame. Rejects with `SERVER_FAILED` (retryable) when the connection is lost, `ABORTED` when its user gave it up. */
  async next(): Promise<Frame> {
    try {
      return await this.#frames.next();
    } catch (error) {
      if (error instanceof SoarError) throw error;
      throw new SoarError("SERVER_FAILED", `unable to go on with '${this.location}': ${messageOf(error)}`, {
        hint: LOST_HINT,
        cause: error,
        retryable: true,
      });
    }
  }

  /** Sends a message. Errors of the socket show at the next read. */
  send(message: Buffer): void {
    this.#socket.write(message);
  }

  /** Bytes received and not taken yet; bounded. */
  get queuedBytes(): number {
    return this.#frames.queuedBytes;
  }

  /** Until disposed, an abort of the signal cancels the running command in the server and ends the connection. */
  abortWith(signal: AbortSignal | undefined): Disposable {
    const abort = (): void => this.abandon(abortedBy(signal, this.#config));
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    return { [Symbol.dispose]: () => signal?.removeEventListener("abort", abort) };
  }

  /** Cancels whatever runs and closes at once, without waiting for the server. Later reads reject with the reason. */
  abandon(reason: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    sendCancelRequest(this.#config, this.#cancelKey);
    this.#frames.destroy(reason);
  }

  /** Says goodbye and waits until the connection is closed. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = new Promise<void>((resolve) =>
      this.#socket.closed ? resolve() : this.#socket.once("close", () => resolve()),
    );
    this.#socket.end(TERMINATE);
    // Whatever still comes is of no interest, but the end is only seen by reading up to it.
    this.#socket.resume();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);

/** A simple Query message: the only form in which a walsender takes commands. */
export function queryMessage(command: string): Buffer {
  const text = Buffer.from(`${command}\0`);
  const message = Buffer.alloc(5 + text.length);
  message.write("Q", 0, "latin1");
  message.writeInt32BE(4 + text.length, 1);
  text.copy(message, 5);
  return message;
}
