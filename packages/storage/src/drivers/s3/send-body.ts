import type { ClientRequest, IncomingMessage } from "node:http";
import { asError } from "@soar/errors";
import type { TransportCall } from "./transport-call.ts";

/** How long to wait for "100 Continue" before the body is sent anyhow: some proxies swallow it. */
const CONTINUE_TIMEOUT_MS = 1000;

/** TLS encrypts at once what it is given, into memory of its own. */
const PIECE_BYTES = 1024 * 1024;

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
  const fail = (error: unknown): void => void outgoing.destroy(asError(error));
  if (whenBegun === undefined) {
    if (body.byteLength <= PIECE_BYTES) outgoing.end(body);
    else writePieces(outgoing, body).then(() => outgoing.end(), fail);
    return;
  }
  const half = body.byteLength >> 1;
  outgoing.write(body.subarray(0, half));
  whenBegun().then(() => outgoing.end(body.subarray(half)), fail);
}

/**
 * Resolves when all was taken, or when nothing is taken any more. Waits for what `write` calls when a piece has left, not for
 * "drain": Node hears that no more once the answer is there as a whole, and a server that has every byte answers before this
 * side has heard that the last one left.
 */
async function writePieces(outgoing: ClientRequest, body: Uint8Array): Promise<void> {
  for (let offset = 0; offset < body.byteLength && !outgoing.destroyed; offset += PIECE_BYTES) {
    await new Promise<void>((resolve) => {
      const goOn = (): void => {
        outgoing.off("close", goOn);
        resolve();
      };
      outgoing.on("close", goOn).write(body.subarray(offset, offset + PIECE_BYTES), goOn);
    });
  }
}

/**
 * Resolves when a request's body is in the kernel's hands, or its connection is gone: until then its memory is still read, also
 * after an answer that came too early.
 */
export async function bodySent(outgoing: ClientRequest): Promise<void> {
  if (outgoing.writableFinished || outgoing.destroyed) return;
  await new Promise<void>((resolve) => outgoing.once("finish", resolve).once("close", resolve));
}
