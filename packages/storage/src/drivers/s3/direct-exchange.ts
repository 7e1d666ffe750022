import { asError } from "@soar/errors";
import { bodyShares, type TimeLimits, TransportTimeout } from "./timeouts.ts";
import { joinHeaders, type TransportResponse } from "./transport-response.ts";
import { type AnswerHead, readAnswerHead } from "./answer-head.ts";
import { DirectBody } from "./direct-body.ts";
import type { DirectConnection, Receiver } from "./direct-connection.ts";
import { ReplayedAnswer } from "./replayed-answer.ts";

export interface DirectExchangeOptions {
  /** The request, as it is sent. */
  readonly text: string;
  readonly limits: TimeLimits;
  readonly signal: AbortSignal | undefined;
  readonly connect: () => DirectConnection;
  /** Called once, with the connection if it can be used again. */
  readonly onEnd: (kept: DirectConnection | undefined) => void;
}

/** One request and its answer. All limits of time hold from its making on, also while it waits to begin. */
export class DirectExchange implements Receiver {
  readonly answer: Promise<TransportResponse>;
  readonly #options: DirectExchangeOptions;
  readonly #answer = Promise.withResolvers<TransportResponse>();
  #connection: DirectConnection | undefined;
  #head = Buffer.alloc(0);
  #body: DirectBody | undefined;
  #keepsAlive = false;
  #replayed: ReplayedAnswer | undefined;
  #connecting: NodeJS.Timeout | undefined;
  #whole: NodeJS.Timeout | undefined;
  #hasEnded = false;

  constructor(options: DirectExchangeOptions) {
    this.#options = options;
    this.answer = this.#answer.promise;
    options.signal?.addEventListener("abort", this.#stop, { once: true });
    this.#allow(options.limits.requestTimeoutMs);
  }

  /** On a connection that was used before, or a new one. */
  begin(used: DirectConnection | undefined): void {
    try {
      this.#send(used ?? this.#options.connect());
    } catch (error) {
      this.fail(asError(error));
    }
  }

  #send(connection: DirectConnection): void {
    const { limits, text } = this.#options;
    const { connectTimeoutMs } = limits;
    this.#connection = connection;
    if (!connection.isReady)
      this.#connecting = setTimeout(() => {
        if (!connection.isReady)
          this.fail(new TransportTimeout("CONNECT_TIMEOUT", `no connection within ${connectTimeoutMs / 1000} s`));
      }, connectTimeoutMs);
    connection.begin(this, text, limits.idleTimeoutMs);
  }

  memory(): Uint8Array | undefined {
    return this.#body?.room();
  }

  received(bytes: Uint8Array): void {
    if (this.#body !== undefined) {
      this.#body.received(bytes.length);
      if (this.#body.complete) this.#end(this.#keepsAlive);
    } else if (this.#replayed === undefined) {
      this.#head = Buffer.concat([this.#head, bytes]);
      this.#readHead();
    } else {
      this.#replayed.push(bytes);
    }
  }

  idle(): void {
    const { idleTimeoutMs } = this.#options.limits;
    this.fail(new TransportTimeout("IDLE_TIMEOUT", `nothing was sent or received for ${idleTimeoutMs / 1000} s`));
  }

  lost(error: Error | undefined): void {
    const wasUsed = this.#connection?.wasUsed === true;
    this.#connection = undefined;
    if (this.#replayed !== undefined && error === undefined) this.#replayed.end(undefined);
    // The server had given a connection up that had nothing to do: whether it got this request is all the same to a GET.
    else if (wasUsed && this.#head.length === 0) this.begin(undefined);
    else this.fail(error ?? broken("the connection was closed"));
  }

  fail(error: Error): void {
    this.#body?.fail(error);
    this.#replayed?.end(error);
    this.#answer.reject(error);
    this.#end(false);
  }

  readonly #stop = (): void => this.fail(new DOMException("the call was aborted", "AbortError"));

  #readHead(): void {
    const head = readAnswerHead(this.#head);
    if (head === "incomplete") return;
    if (head === "other") this.#replay();
    else this.#open(head);
  }

  #open({ statusCode, reason, headers, length, keepsAlive, headBytes }: AnswerHead): void {
    const body = new DirectBody(length, () => this.#end(false));
    const begun = this.#head.subarray(headBytes, headBytes + length);
    this.#body = body;
    this.#keepsAlive = keepsAlive && this.#head.length <= headBytes + length;
    this.#allow(this.#options.limits.requestTimeoutMs * bodyShares(length));
    begun.copy(body.room());
    body.received(begun.length);
    this.#answer.resolve({ statusCode, reason, headers, body });
    if (body.complete) this.#end(this.#keepsAlive);
  }

  #replay(): void {
    const replayed = new ReplayedAnswer(() => this.#end(false));
    this.#replayed = replayed;
    replayed.push(this.#head);
    replayed.message.then(
      (message) => {
        this.#allow(this.#options.limits.requestTimeoutMs * bodyShares(Number(message.headers["content-length"] ?? 0)));
        const { statusCode = 0, statusMessage: reason } = message;
        this.#answer.resolve({ statusCode, reason, headers: joinHeaders(message), body: message });
      },
      (error: Error) => this.fail(error),
    );
  }

  /** For what comes from here on. */
  #allow(ms: number): void {
    clearTimeout(this.#whole);
    if (this.#hasEnded) return;
    this.#whole = setTimeout(
      () => this.fail(new TransportTimeout("REQUEST_TIMEOUT", `the request took more than ${ms / 1000} s`)),
      ms,
    );
  }

  #end(isUsable: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#whole);
    clearTimeout(this.#connecting);
    this.#options.signal?.removeEventListener("abort", this.#stop);
    const connection = this.#connection;
    this.#connection = undefined;
    if (!isUsable) connection?.destroy();
    this.#options.onEnd(isUsable ? connection : undefined);
  }
}

export function broken(message: string): Error {
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}
