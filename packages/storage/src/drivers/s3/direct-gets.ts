import { validateHeaderName, validateHeaderValue } from "node:http";
import type { TimeLimits } from "./timeouts.ts";
import type { TransportResponse } from "./transport-response.ts";
import { DirectConnection, type Peer } from "./direct-connection.ts";
import { broken, DirectExchange } from "./direct-exchange.ts";

export interface DirectGetsOptions extends TimeLimits {
  /** Requests at once. */
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
  readonly #idle = new Map<string, DirectConnection[]>();
  readonly #begun = new Set<DirectExchange>();
  readonly #waiting = new Map<DirectExchange, () => void>();
  /** Connections that nobody has used for less than a turn of the event loop. */
  readonly #resting = new Set<DirectConnection>();

  constructor(options: DirectGetsOptions) {
    this.#options = options;
  }

  /** Resolves when the head of the answer is there. Rejects as Node's own client would. */
  async get(request: DirectRequest, signal: AbortSignal | undefined): Promise<TransportResponse> {
    const text = formatRequest(request);
    if (signal?.aborted === true) throw new DOMException("the call was aborted", "AbortError");
    const begin = (): void => {
      this.#begun.add(exchange);
      exchange.begin(this.#takeIdle(request));
    };
    const exchange = new DirectExchange({
      text,
      limits: this.#options,
      signal,
      connect: () => this.#connect(request),
      onEnd: (kept) => {
        this.#waiting.delete(exchange);
        if (kept === undefined) this.#makeRoom(exchange);
        else this.#keep(exchange, request, kept);
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
    for (const connection of [...this.#resting, ...[...this.#idle.values()].flat()]) connection.destroy();
    this.#idle.clear();
  }

  #connect(request: DirectRequest): DirectConnection {
    const connection = new DirectConnection(request, () => {
      const rest = this.#idle.get(originOf(request))?.filter((other) => other !== connection) ?? [];
      this.#idle.set(originOf(request), rest);
    });
    return connection;
  }

  #takeIdle(request: DirectRequest): DirectConnection | undefined {
    const idle = this.#idle.get(originOf(request)) ?? [];
    for (let last = idle.pop(); last !== undefined; last = idle.pop()) if (!last.isGone) return last;
    return undefined;
  }

  /**
   * What a server has sent behind the end of an answer may be delivered after it in the same turn of the event loop. Without a receiver
   * it ends the connection; a request that began at once would take it for its answer.
   */
  #keep(exchange: DirectExchange, request: DirectRequest, kept: DirectConnection): void {
    kept.rest();
    this.#resting.add(kept);
    setImmediate(() => {
      this.#resting.delete(kept);
      if (!kept.isGone) this.#idle.set(originOf(request), [...(this.#idle.get(originOf(request)) ?? []), kept]);
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

function originOf({ protocol, host, port }: Peer): string {
  return `${protocol}//${host}:${port ?? ""}`;
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
