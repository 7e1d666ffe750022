import type { ClientRequest, IncomingMessage } from "node:http";
import type { TransportCall } from "./transport-call.ts";

/** How long to wait for "100 Continue" before the body is sent anyhow: some proxies swallow it. */
const CONTINUE_TIMEOUT_MS = 1000;

/**
 * With "Expect: 100-continue" the server's refusal arrives before the body travels: a taken key costs no upload, and wrong
 * credentials are not mistaken for a broken connection.
 */
export function sendBody(outgoing: ClientRequest, body: Uint8Array, call: TransportCall = {}): void {
  if (outgoing.getHeader("expect") !== "100-continue") {
    sendBytes(outgoing, body, call);
    return;
  }
  let sent = false;
  let continued = false;
  const send = (): void => {
    if (sent) return;
    sent = true;
    clearTimeout(timer);
    sendBytes(outgoing, body, call);
  };
  const timer = setTimeout(send, CONTINUE_TIMEOUT_MS);
  outgoing.once("continue", () => {
    continued = true;
    send();
  });
  outgoing.once("close", () => clearTimeout(timer));
  outgoing.once("response", (incoming: IncomingMessage) => {
    clearTimeout(timer);
    call.onExpectation?.(continued ? "continued" : sent ? "waited in vain" : "refused");
    if (sent) return;
    sent = true;
    // The body was not wanted, and the server may still wait for it: this connection cannot be used again.
    incoming.once("close", () => outgoing.destroy());
  });
  outgoing.flushHeaders();
}

function sendBytes(outgoing: ClientRequest, body: Uint8Array, { whenBegun }: TransportCall): void {
  if (whenBegun === undefined) {
    outgoing.end(body);
    return;
  }
  const half = body.byteLength >> 1;
  outgoing.write(body.subarray(0, half));
  whenBegun().then(
    () => outgoing.end(body.subarray(half)),
    (error: unknown) => outgoing.destroy(error instanceof Error ? error : new Error(String(error))),
  );
}
