import type { Socket } from "node:net";
import { messageOf, SoarError } from "@soar/errors";
import { type CancelKey, sendCancelRequest } from "./cancel-request.ts";
import { abortedBy, type LoggedInClient } from "./connect-client.ts";
import type { Frame } from "./frame-parser.ts";
import { FrameReader } from "./frame-reader.ts";
import { type ConnectionConfig, serverLocation } from "./connection-config.ts";
import { LOST_HINT } from "./server-failure.ts";
import { TERMINATE } from "./sql-messages.ts";

/** A server that lives takes milliseconds. */
const FAREWELL_MS = 2_000;

/** One session of a server: logged in by pg, from then on read by framing of our own. */
export class ServerSession {
  /** For messages: `user@host:port`. */
  readonly location: string;
  /** For example 150020. */
  readonly serverVersion: number;
  readonly #config: ConnectionConfig;
  readonly #cancelKey: CancelKey | undefined;
  readonly #socket: Socket;
  readonly #frames: FrameReader;
  #closed = false;

  constructor(config: ConnectionConfig, { socket, cancelKey, serverVersion }: LoggedInClient) {
    this.location = serverLocation(config);
    this.serverVersion = serverVersion;
    this.#config = config;
    this.#cancelKey = cancelKey;
    this.#socket = socket;
    this.#frames = new FrameReader(socket);
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

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  /** Bytes received and not taken yet; bounded. */
  get queuedBytes(): number {
    return this.#frames.queuedBytes;
  }

  /** Until disposed, an abort of the signal cancels the running command in the server and ends the connection. */
  abortWith(signal: AbortSignal | undefined): Disposable {
    return onAbort(signal, () => this.abandon(abortedBy(signal, this.#config)));
  }

  /** Until disposed, an abort of the signal cancels the running command in the server; the connection goes on. */
  cancelWith(signal: AbortSignal | undefined): Disposable {
    return onAbort(signal, () => sendCancelRequest(this.#config, this.#cancelKey));
  }

  /** Rejects nothing and returns as long as nobody has given up. Throws `ABORTED`. */
  throwIfAborted(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw abortedBy(signal, this.#config);
  }

  /** Cancels whatever runs and closes at once, without waiting for the server. Later reads reject with the reason. */
  abandon(reason: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    sendCancelRequest(this.#config, this.#cancelKey);
    this.#frames.destroy(reason);
  }

  /** Says goodbye and waits until the server has closed the connection; one that hangs is not waited for. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = new Promise<void>((resolve) =>
      this.#socket.closed ? resolve() : this.#socket.once("close", () => resolve()),
    );
    this.#socket.end(TERMINATE);
    // Whatever still comes is of no interest, but the end is only seen by reading up to it.
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), FAREWELL_MS);
    await closed;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function onAbort(signal: AbortSignal | undefined, act: () => void): Disposable {
  if (signal?.aborted === true) act();
  signal?.addEventListener("abort", act, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", act) };
}
