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

/**
 * Closes the connection when connecting, a silence, or the whole request takes too long. A reader that takes its time
 * is no silence: while bytes of the answer lie here unread, the limits are put off.
 */
export function watchTimes(outgoing: ClientRequest, limits: TimeLimits): { answered(incoming: IncomingMessage): void } {
  let unread = (): boolean => false;
  let total = startTotal(limits.requestTimeoutMs);

  function startTotal(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (unread()) total = startTotal(ms);
      else outgoing.destroy(new TransportTimeout("REQUEST_TIMEOUT", `the request took more than ${ms / 1000} s`));
    }, ms);
  }
  outgoing.once("close", () => clearTimeout(total));
  outgoing.once("socket", (socket) => {
    watchConnecting(outgoing, socket, limits.connectTimeoutMs);
    const idle = (): void => {
      if (unread()) socket.setTimeout(limits.idleTimeoutMs);
      else outgoing.destroy(new TransportTimeout("IDLE_TIMEOUT", `nothing was sent or received for ${limits.idleTimeoutMs / 1000} s`));
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
      unread = () => incoming.readableLength > 0;
      clearTimeout(total);
      const length = Number(incoming.headers["content-length"] ?? 0);
      total = startTotal(limits.requestTimeoutMs * Math.max(1, Math.ceil(length / BODY_SHARE_BYTES)));
      incoming.once("close", () => clearTimeout(total));
    },
  };
}

function watchConnecting(outgoing: ClientRequest, socket: Socket, connectTimeoutMs: number): void {
  if (!socket.connecting) return;
  const timer = setTimeout(
    () => outgoing.destroy(new TransportTimeout("CONNECT_TIMEOUT", `no connection within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  );
  const stop = (): void => clearTimeout(timer);
  socket.once("encrypted" in socket ? "secureConnect" : "connect", stop);
  outgoing.once("close", stop);
}
