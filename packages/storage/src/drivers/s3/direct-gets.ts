import { validateHeaderName, validateHeaderValue } from "node:http";
import type { TimeLimits } from "./timeouts.ts";
import type { TransportResponse } from "./transport-response.ts";
import { DirectConnection, type Peer } from "./direct-connection.ts";
import { broken, DirectExchange } from "./direct-exchange.ts";

/** For which a server is left to Node's client once an answer needed Node's parser: each costs the connection, and with TLS a new handshake. */
const LEFT_MS = 30_000;

/** What is known of a server. */
interface Origin {
  idle: readonly DirectConnection[];
  /** Of TLS. */
  session: Buffer | undefined;
  /** As of `performance.now()`. */
  leftUntil: number;
}

export interface DirectGetsOptions extends TimeLimits {
  /** Requests at once; those of Node's client are counted apart. */
  readonly maxConnections: number;
}

export interface DirectRequest extends Peer {
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** GET requests whose bodies are written straight into memory, on connections of their own that are kept. */
export class DirectGets {
  readonly #options: DirectGetsOptions;
  readonly #origins = new Map<string, Origin>();
  readonly #begun = new Set<DirectExchange>();
  readonly #waiting = new Map<DirectExchange, () => void>();
  /** Connections that nobody has used for less than a turn of the event loop. */
  readonly #resting = new Set<DirectConnection>();

  constructor(options: DirectGetsOptions) {
    this.#options = options;
  }

  /** Whether the server's last answers were of the form that is read here. */
  suits(peer: Peer): boolean {
    return performance.now() >= this.#originOf(peer).leftUntil;
  }

  /** Resolves when the head of the answer is there. Rejects as Node's own client would. */
  async get(request: DirectRequest, signal: AbortSignal | undefined): Promise<TransportResponse> {
    const text = formatRequest(request);
    if (signal?.aborted === true) throw new DOMException("the call was aborted", "AbortError");
    const origin = this.#originOf(request);
    const begin = (): void => {
      this.#begun.add(exchange);
      exchange.begin(takeIdle(origin));
    };
    const exchange = new DirectExchange({
      text,
      limits: this.#options,
      signal,
      connect: () => connect(request, origin),
      onDead: () => dropIdle(origin),
      onReplay: () => (origin.leftUntil = performance.now() + LEFT_MS),
      onEnd: (kept, keptMs) => {
        this.#waiting.delete(exchange);
        if (kept === undefined) this.#makeRoom(exchange);
        else this.#keep(exchange, origin, kept, keptMs);
      },
    });
    // A connection that rests will be there in the same turn.
    const hasOwn = this.#waiting.size >= this.#resting.size && this.#begun.size < this.#options.maxConnections;
    if (hasOwn) begin();
    else this.#waiting.set(exchange, begin);
    return await exchange.answer;
  }

  destroy(): void {
    for (const exchange of [...this.#waiting.keys(), ...this.#begun]) exchange.fail(broken("the store was closed"));
    for (const connection of this.#resting) connection.destroy();
    for (const origin of this.#origins.values()) dropIdle(origin);
  }

  #originOf({ protocol, host, port, servername }: Peer): Origin {
    const name = `${protocol}//${host}:${port ?? ""} ${servername}`;
    const origin = this.#origins.get(name) ?? { idle: [], session: undefined, leftUntil: 0 };
    this.#origins.set(name, origin);
    return origin;
  }

  /**
   * What a server has sent behind the end of an answer may be delivered after it in the same turn of the event loop. Without a receiver
   * it ends the connection; a request that began at once would take it for its answer.
   */
  #keep(exchange: DirectExchange, origin: Origin, kept: DirectConnection, keptMs: number): void {
    kept.rest(keptMs);
    this.#resting.add(kept);
    setImmediate(() => {
      this.#resting.delete(kept);
      if (!kept.isGone) origin.idle = [...origin.idle, kept];
      this.#makeRoom(exchange);
    });
  }

  /** For whoever has waited longest. */
  #makeRoom(exchange: DirectExchange): void {
    if (!this.#begun.delete(exchange)) return;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next[0]);
    next[1]();
  }
}

function connect(peer: Peer, origin: Origin): DirectConnection {
  const connection: DirectConnection = new DirectConnection(peer, origin.session, {
    onGone: (error) => {
      origin.idle = origin.idle.filter((other) => other !== connection);
      // As Node's agent does: it may be the session that the server did not like.
      if (error !== undefined) origin.session = undefined;
    },
    onSession: (session) => (origin.session = session),
  });
  return connection;
}

function takeIdle(origin: Origin): DirectConnection | undefined {
  const last = origin.idle.findLast(({ isGone }) => !isGone);
  origin.idle = origin.idle.filter((other) => other !== last);
  return last;
}

/** What ended one connection has mostly ended the others, each of which would cost a request the time that it takes to find out. */
function dropIdle(origin: Origin): void {
  for (const connection of origin.idle) connection.destroy();
  origin.idle = [];
}

function formatRequest({ path, headers, host, port }: DirectRequest): string {
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw new TypeError("a path has characters that HTTP does not know");
  const given = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const all = new Map([
    ["host", port === undefined ? host : `${host}:${port}`],
    ...given,
    ["connection", "keep-alive"],
  ]);
  const lines = [...all].map(([name, value]) => {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return `${name}: ${value}\r\n`;
  });
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
