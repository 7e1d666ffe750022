import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";

export interface TimeLimits {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** A limit that passed. The connection is closed: nothing waits for it any more. */
export class TransportTimeout extends Error {
  override readonly name = "TransportTimeout";
  readonly code: "CONNECT_TIMEOUT" | "IDLE_TIMEOUT" | "REQUEST_TIMEOUT";

  constructor(code: TransportTimeout["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Bytes of a body that get one `requestTimeoutMs`: 64 MiB in 5 minutes are 220 kB/s. */
const BODY_SHARE_BYTES = 64 * 1024 ** 2;

/** How many times `requestTimeoutMs` a body of this length gets. */
export function bodyShares(length: number): number {
  return Math.max(1, Math.ceil(length / BODY_SHARE_BYTES));
}

/** The limit of the whole request is looked at this many times before it passes. */
const TICKS = 20;

/**
 * Closes the connection when connecting, a silence, or the whole request takes too long. A reader that takes its time
 * is no silence: while bytes of an answer that it was given lie here unread, the time is not counted.
 */
export function watchTimes(
  outgoing: ClientRequest,
  limits: TimeLimits,
): { answered(incoming: IncomingMessage): void; handedOut(): void } {
  let answer: IncomingMessage | undefined;
  let hasReader = false;
  const isUnread = (): boolean => hasReader && (answer?.readableLength ?? 0) > 0;
  const giveUp = (timeout: TransportTimeout): void => endExchange(outgoing, answer, timeout);

  let allowedMs = limits.requestTimeoutMs;
  let countedMs = 0;
  const tickMs = Math.min(1000, limits.requestTimeoutMs / TICKS);
  const ticking = setInterval(() => {
    if (!isUnread()) countedMs += tickMs;
    if (countedMs >= allowedMs)
      giveUp(new TransportTimeout("REQUEST_TIMEOUT", `the request took more than ${allowedMs / 1000} s`));
  }, tickMs);
  outgoing.once("close", () => clearInterval(ticking));

  outgoing.once("socket", (socket) => {
    watchConnecting(outgoing, socket, limits.connectTimeoutMs);
    const idle = (): void => {
      if (isUnread()) socket.setTimeout(limits.idleTimeoutMs);
      else
        giveUp(
          new TransportTimeout("IDLE_TIMEOUT", `nothing was sent or received for ${limits.idleTimeoutMs / 1000} s`),
        );
    };
    socket.setTimeout(limits.idleTimeoutMs);
    socket.on("timeout", idle);
    outgoing.once("close", () => {
      socket.off("timeout", idle);
      socket.setTimeout(0);
    });
  });
  return {
    answered(incoming) {
      answer = incoming;
      countedMs = 0;
      allowedMs = limits.requestTimeoutMs * bodyShares(Number(incoming.headers["content-length"] ?? 0));
    },
    handedOut() {
      hasReader = true;
    },
  };
}

/** An answer that has begun is where its reader hears of the failure; one that has ended ends no connection. */
export function endExchange(outgoing: ClientRequest, answer: IncomingMessage | undefined, error: Error): void {
  answer?.destroy(error);
  outgoing.destroy(error);
}

function watchConnecting(outgoing: ClientRequest, socket: Socket, connectTimeoutMs: number): void {
  if (!socket.connecting) return;
  const timer = setTimeout(
    () =>
      outgoing.destroy(new TransportTimeout("CONNECT_TIMEOUT", `no connection within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  );
  const stop = (): void => clearTimeout(timer);
  socket.once("encrypted" in socket ? "secureConnect" : "connect", stop);
  outgoing.once("close", stop);
}
