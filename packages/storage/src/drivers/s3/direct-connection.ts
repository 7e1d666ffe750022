import { connect as connectNet, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";

/** Where a connection leads. */
export interface Peer {
  readonly protocol: string;
  readonly host: string;
  readonly port: number | undefined;
  /** The name to which its certificate is given; empty for an address. */
  readonly servername: string;
  readonly secureContext: SecureContext | undefined;
}

/** Who uses a connection. */
export interface Receiver {
  /** Where the next bytes go; undefined when they are only to be looked at. */
  memory(): Uint8Array | undefined;
  /** Bytes that arrived, in the memory that was named, or in one that is used again at once. */
  received(bytes: Uint8Array): void;
  /** Nothing was sent or received for as long as was allowed. */
  idle(): void;
  /** The connection is gone; without an error when the other side has ended it in order. */
  lost(error: Error | undefined): void;
}

/** As much as one record of TLS brings. */
const SCRATCH_BYTES = 16 * 1024;
/** Before the kernel asks whether the other side is still there, as of Node's agent. */
const PROBE_MS = 1000;

export interface ConnectionEvents {
  /** It can be used no longer. */
  readonly onGone: (error: Error | undefined) => void;
  /** A session of TLS with which the next connection costs less. */
  readonly onSession: (session: Buffer) => void;
}

/** A socket whose bytes are written where its user wants them. */
export class DirectConnection {
  readonly #socket: Socket;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #receiver: Receiver | undefined;
  #error: Error | undefined;
  #isReady = false;
  #isGone = false;
  #isPaused = false;
  /** Requests that were begun here. */
  #uses = 0;

  /** `session` is one of TLS that an earlier connection to the same peer gave. */
  constructor(peer: Peer, session: Buffer | undefined, { onGone, onSession }: ConnectionEvents) {
    const { protocol, host, port, servername, secureContext } = peer;
    const onread = {
      buffer: () => this.#receiver?.memory() ?? this.#scratch,
      callback: (bytes: number, memory: Uint8Array): boolean => {
        // What nobody has asked for answers no request.
        if (this.#receiver === undefined) this.destroy();
        else this.#receiver.received(memory.subarray(0, bytes));
        return true;
      },
    };
    const common = { host, noDelay: true, keepAlive: true, keepAliveInitialDelay: PROBE_MS, onread };
    const options = {
      ...common,
      port: port ?? 443,
      secureContext,
      servername,
      session,
      ALPNProtocols: ["http/1.1"],
    };
    const isTls = protocol === "https:";
    this.#socket = isTls ? connectTls(options) : connectNet({ ...common, port: port ?? 80 });
    this.#socket
      .once(isTls ? "secureConnect" : "connect", () => (this.#isReady = true))
      .on("error", (error) => (this.#error ??= error))
      .on("session", onSession)
      .on("timeout", () => (this.#receiver === undefined ? this.destroy() : this.#receiver.idle()))
      .on("end", () => this.#socket.destroy())
      .on("close", () => {
        this.#isGone = true;
        onGone(this.#error);
        this.#receiver?.lost(this.#error);
      });
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isGone(): boolean {
    return this.#isGone || this.#socket.destroyed;
  }

  /** Whether it had a use before the present one. */
  get wasUsed(): boolean {
    return this.#uses > 1;
  }

  /** Sends a request; what comes is the receiver's, until `rest`. */
  begin(receiver: Receiver, request: string, idleMs: number): void {
    this.#receiver = receiver;
    this.#uses += 1;
    this.#socket.ref();
    this.#socket.setTimeout(idleMs);
    this.#socket.write(request, "latin1");
  }

  /** Lets what comes wait at the other side, until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  /** Nobody can have been silent before. */
  resume(idleMs: number): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.setTimeout(idleMs);
    this.#socket.resume();
  }

  /** Counts the time without a byte from now on. */
  restartIdleTime(idleMs: number): void {
    this.#socket.setTimeout(idleMs);
  }

  /** Until the next request, or for so long. A connection that has nothing to do keeps no process alive. */
  rest(forMs: number): void {
    this.#receiver = undefined;
    this.#socket.setTimeout(forMs);
    this.#socket.unref();
  }

  destroy(): void {
    this.#receiver = undefined;
    this.#socket.destroy();
  }
}
