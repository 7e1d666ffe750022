import { asError } from "@soar/errors";
import { bodyShares, type TimeLimits, TransportTimeout } from "./timeouts.ts";
import { joinHeaders, type TransportResponse } from "./transport-response.ts";
import { type AnswerHead, readAnswerHead } from "./answer-head.ts";
import { DirectBody } from "./direct-body.ts";
import type { DirectConnection, Receiver } from "./direct-connection.ts";
import { ReplayedAnswer } from "./replayed-answer.ts";

/** For which a connection without work is kept. Servers and what lies between give them up after a minute or later. */
const MOST_IDLE_MS = 15_000;

/** The limit of the whole request is looked at this many times before it passes. */
const TICKS = 20;

export interface DirectExchangeOptions {
  /** The request, as it is sent. */
  readonly text: string;
  readonly limits: TimeLimits;
  readonly signal: AbortSignal | undefined;
  readonly connect: () => DirectConnection;
  /** A connection that had been used ended without a byte of an answer. */
  readonly onDead: () => void;
  /** The answer is read by Node's parser, after which the connection is closed. */
  readonly onReplay: () => void;
  /** Called once, with the connection if it can be used again, for so long. */
  readonly onEnd: (kept: DirectConnection | undefined, keptMs: number) => void;
}

/** One request and its answer. All limits of time hold from its making on, also while it waits to begin. */
export class DirectExchange implements Receiver {
  readonly answer: Promise<TransportResponse>;
  readonly #options: DirectExchangeOptions;
  readonly #answer = Promise.withResolvers<TransportResponse>();
  #connection: DirectConnection | undefined;
  #head = Buffer.alloc(0);
  #body: DirectBody | undefined;
  #keptMs = 0;
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
      if (this.#body.complete) this.#end(this.#keptMs);
    } else if (this.#replayed === undefined) {
      this.#head = Buffer.concat([this.#head, bytes]);
      this.#readHead();
    } else {
      if (!this.#replayed.push(bytes)) this.#connection?.pause();
    }
  }

  idle(): void {
    const { idleTimeoutMs } = this.#options.limits;
    // A reader that takes its time is no silence.
    if (this.#replayed?.isUnread === true) {
      this.#connection?.restartIdleTime(idleTimeoutMs);
      return;
    }
    if (this.#isDead) this.#options.onDead();
    this.fail(new TransportTimeout("IDLE_TIMEOUT", `nothing was sent or received for ${idleTimeoutMs / 1000} s`));
  }

  lost(error: Error | undefined): void {
    const isDead = this.#isDead;
    if (isDead) this.#options.onDead();
    this.#connection = undefined;
    if (this.#replayed !== undefined && error === undefined) this.#replayed.end(undefined);
    // The server had given a connection up that had nothing to do: whether it got this request is all the same to a GET.
    else if (isDead) this.begin(undefined);
    else this.fail(error ?? broken("the connection was closed"));
  }

  fail(error: Error): void {
    this.#body?.fail(error);
    this.#replayed?.end(error);
    this.#answer.reject(error);
    this.#end(0);
  }

  get #isDead(): boolean {
    return this.#connection?.wasUsed === true && this.#head.length === 0;
  }

  readonly #stop = (): void => this.fail(new DOMException("the call was aborted", "AbortError"));

  #readHead(): void {
    const head = readAnswerHead(this.#head);
    if (head === "incomplete") return;
    if (head === "other") this.#replay();
    else this.#open(head);
  }

  #open({ statusCode, reason, headers, length, keepsAliveMs, headBytes }: AnswerHead): void {
    const body = new DirectBody(length, () => this.#end(0));
    const begun = this.#head.subarray(headBytes, headBytes + length);
    this.#body = body;
    const hasSurplus = this.#head.length > headBytes + length;
    this.#keptMs = hasSurplus ? 0 : Math.min(keepsAliveMs ?? MOST_IDLE_MS, MOST_IDLE_MS);
    this.#allow(this.#options.limits.requestTimeoutMs * bodyShares(length));
    begun.copy(body.room());
    body.received(begun.length);
    this.#answer.resolve({ statusCode, reason, headers, body });
    if (body.complete) this.#end(this.#keptMs);
  }

  #replay(): void {
    this.#options.onReplay();
    const replayed = new ReplayedAnswer(
      () => this.#connection?.resume(this.#options.limits.idleTimeoutMs),
      () => this.#end(0),
    );
    this.#replayed = replayed;
    if (!replayed.push(this.#head)) this.#connection?.pause();
    replayed.message.then(
      (message) => {
        this.#allow(this.#options.limits.requestTimeoutMs * bodyShares(Number(message.headers["content-length"] ?? 0)));
        const { statusCode = 0, statusMessage: reason } = message;
        this.#answer.resolve({ statusCode, reason, headers: joinHeaders(message), body: message });
      },
      (error: Error) => this.fail(error),
    );
  }

  /** For what comes from here on. The time in which a reader leaves lie what is there is not counted. */
  #allow(ms: number): void {
    clearInterval(this.#whole);
    if (this.#hasEnded) return;
    const tickMs = Math.min(1000, ms / TICKS);
    let countedMs = 0;
    this.#whole = setInterval(() => {
      if (this.#replayed?.isUnread !== true) countedMs += tickMs;
      if (countedMs < ms) return;
      if (this.#isDead) this.#options.onDead();
      this.fail(new TransportTimeout("REQUEST_TIMEOUT", `the request took more than ${ms / 1000} s`));
    }, tickMs);
  }

  #end(keptMs: number): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#whole);
    clearTimeout(this.#connecting);
    this.#options.signal?.removeEventListener("abort", this.#stop);
    const connection = this.#connection;
    this.#connection = undefined;
    if (keptMs === 0) connection?.destroy();
    this.#options.onEnd(keptMs === 0 ? undefined : connection, keptMs);
  }
}

export function broken(message: string): Error {
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}
