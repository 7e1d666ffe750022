import { setTimeout as delay } from "node:timers/promises";
import type { S3Call, ServerState } from "./call.ts";
import type { ActiveFault } from "./fault.ts";
import { refusalOf, S3Error } from "./s3-error.ts";

/** Thrown to end a connection without (the rest of) an answer. */
export class ConnectionCut extends Error {
  override readonly name = "ConnectionCut";
  readonly manner: "reset" | "end";

  constructor(manner: "reset" | "end") {
    super(`connection cut on purpose (${manner})`);
    this.manner = manner;
  }
}

/** What a fault does before the request is looked at. */
export async function beforeRequest(active: ActiveFault | undefined, state: ServerState): Promise<void> {
  const fault = active?.fault;
  if (fault === undefined) return;
  if (fault.type === "delay") await delay(fault.ms);
  else if (fault.type === "stall") await active?.released;
  else if (fault.type === "busy") throw new S3Error(state.rules.busy);
  else if (fault.type === "reset-request" && fault.afterBytes === 0) throw new ConnectionCut("reset");
  else if (fault.type === "error") {
    const row = refusalOf("InternalError");
    throw new S3Error({
      status: fault.status ?? row.status,
      code: fault.code ?? row.code,
      message: fault.message ?? row.message,
      headers: fault.headers ?? {},
    });
  }
}

/** The request's body as a fault lets it arrive; counts the bytes. */
export async function* throughRequestFault(call: S3Call): AsyncIterable<Uint8Array> {
  const fault = call.fault?.fault;
  let seen = 0;
  // Giving up in the middle must leave the connection open: the refusal still has to be sent over it.
  for await (const chunk of call.request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    seen += chunk.length;
    call.log.requestBytes = seen;
    if (fault !== undefined) {
      if (fault.type === "reset-request" && seen >= fault.afterBytes) throw new ConnectionCut("reset");
      if (fault.type === "stall-request" && seen >= fault.afterBytes) await call.fault?.released;
      if (fault.type === "slow-request") await delay((chunk.length / fault.bytesPerSecond) * 1000);
      if (fault.type === "early-reply" && seen >= fault.afterBytes) answerEarly(call);
    }
    yield chunk;
  }
}

/** The mark that the body will have if it is what Content-MD5 announces; else the connection is cut when it has come. */
function answerEarly({ response, header, log }: S3Call): void {
  if (response.headersSent) return;
  const md5 = Buffer.from(header("content-md5") ?? "", "base64").toString("hex");
  log.status = 200;
  response.writeHead(200, { etag: `"${md5}"`, "content-length": "0" }).end();
}

/** An answer's body as a fault lets it leave. */
export async function* throughResponseFault(
  chunks: AsyncIterable<Uint8Array>,
  active: ActiveFault,
): AsyncIterable<Uint8Array> {
  const { fault } = active;
  let position = 0;
  for await (const chunk of chunks) {
    const start = position;
    position += chunk.length;
    if (fault.type === "slow-response") yield* sendSlowly(chunk, fault.bytesPerSecond);
    else if (fault.type === "corrupt-response") yield corrupt(chunk, fault.atByte - start);
    else if (fault.type === "stall-response" || fault.type === "reset-response" || fault.type === "truncate-response") {
      if (position <= fault.afterBytes) {
        yield chunk;
        continue;
      }
      const kept = Math.max(fault.afterBytes - start, 0);
      if (kept > 0) yield chunk.subarray(0, kept);
      if (fault.type === "stall-response") {
        await active.released;
        yield chunk.subarray(kept);
      } else if (fault.type === "reset-response") throw new ConnectionCut("reset");
      else if (fault.lie === true) return;
      else throw new ConnectionCut("end");
    } else yield chunk;
  }
}

async function* sendSlowly(chunk: Uint8Array, bytesPerSecond: number): AsyncIterable<Uint8Array> {
  const step = Math.max(1, Math.ceil(bytesPerSecond / 20));
  for (let start = 0; start < chunk.length; start += step) {
    const piece = chunk.subarray(start, start + step);
    yield piece;
    await delay((piece.length / bytesPerSecond) * 1000);
  }
}

function corrupt(chunk: Uint8Array, index: number): Uint8Array {
  if (index < 0 || index >= chunk.length) return chunk;
  const copy = Uint8Array.from(chunk);
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
