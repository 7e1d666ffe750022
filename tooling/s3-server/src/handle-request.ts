import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { authenticate } from "./authenticate.ts";
import type { S3Call, S3Reply, ServerState } from "./call.ts";
import { mayAccess } from "./credential.ts";
import { beforeRequest, ConnectionCut } from "./fault-effects.ts";
import type { FaultBook } from "./fault.ts";
import { ACTIONS } from "./operation-names.ts";
import { OPERATIONS } from "./operations/index.ts";
import { type ParsedRequest, parseRequest } from "./parse-request.ts";
import { beginRequestLog, type S3RequestLog } from "./request-log.ts";
import { S3Error } from "./s3-error.ts";
import { errorReply, sendReply, type Delivery } from "./send-reply.ts";

export interface RequestHandlerOptions {
  readonly state: ServerState;
  readonly faults: FaultBook;
  readonly requests: S3RequestLog[];
  readonly latencyMs: () => number;
  /** Suffixes that make `bucket.<hostname>` a bucket's own address. */
  readonly hostnames: readonly string[];
  /** Receives what must not happen: errors of the test server itself. */
  readonly onBug: (error: unknown) => void;
}

export type RequestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  options: { expectsContinue: boolean },
) => Promise<void>;

/** Serves one request from its first header to the last byte of the answer. Never rejects. */
export function createRequestHandler(options: RequestHandlerOptions): RequestHandler {
  // Whose answer came before their bodies: whoever asks later finds these stored.
  const answeredEarly = new Set<Promise<S3Reply>>();
  return async (request, response, { expectsContinue }) => {
    // Taken now: Node forgets the socket of a request whose body was given up.
    const { url = "/", method = "GET", headers, socket } = request;
    const log = beginRequestLog(options.requests.length + 1, { url, method, headers });
    options.requests.push(log);
    let delivery: Delivery = { response, log, fault: undefined };
    try {
      const latency = options.latencyMs();
      if (latency > 0) await delay(latency);
      const parsed = parseRequest(request, options.hostnames);
      Object.assign(log, { operation: parsed.operation, bucket: parsed.bucketName, key: parsed.key });
      delivery = { ...delivery, fault: options.faults.meet(parsed) };
      log.fault = delivery.fault?.fault.type;
      response.setHeader("date", new Date(clockOf(options.state, delivery.fault)).toUTCString());
      await beforeRequest(delivery.fault, options.state);
      const { expectContinue } = options.state.rules;
      if (expectsContinue && typeof expectContinue !== "string") throw new S3Error(expectContinue);
      const isAnswered = expectsContinue && expectContinue === "answered";
      const acceptBody = (): void => (isAnswered ? response.writeContinue() : undefined);
      const call = openCall(parsed, { ...delivery, request, acceptBody }, options.state);
      const isEarly = delivery.fault?.fault.type === "early-reply";
      if (!isEarly) await Promise.allSettled(answeredEarly);
      const work = (async () => await OPERATIONS[call.operation](call))();
      if (isEarly) answeredEarly.add(work);
      await sendReply(await work.finally(() => answeredEarly.delete(work)), delivery);
      log.outcome = "answered";
    } catch (error) {
      // A client that is still sending takes no answer before it has finished.
      request.resume();
      await answerFailure(error, { url, socket }, delivery, options);
    } finally {
      log.endedAt = Date.now();
    }
  };
}

type Wire = Pick<S3Call, "request" | "response" | "log" | "fault" | "acceptBody">;

/** Who calls, whether the bucket is here, and whether they may. */
function openCall(parsed: ParsedRequest, wire: Wire, state: ServerState): S3Call {
  const { caller, proof } = authenticate(parsed, { ...state, now: () => clockOf(state, wire.fault) });
  wire.log.accessKeyId = caller.accessKeyId;
  const bucket = state.buckets.get(parsed.bucketName);
  if (bucket !== undefined && bucket.region !== state.region) {
    throw new S3Error("PermanentRedirect", {
      details: { Endpoint: `${bucket.name}.s3.${bucket.region}.localhost`, Bucket: bucket.name },
      headers: { "x-amz-bucket-region": bucket.region },
    });
  }
  // Single keys of a batch are judged one by one.
  if (parsed.operation !== "DeleteObjects" && !isPermitted(parsed, caller)) throw new S3Error("AccessDenied");
  return { ...parsed, ...wire, state, caller, proof };
}

/** The server's clock for this request, in milliseconds since 1970. */
function clockOf(state: ServerState, active: S3Call["fault"]): number {
  return state.now() + (active?.fault.type === "clock-skew" ? active.fault.ms : 0);
}

function isPermitted(parsed: ParsedRequest, caller: S3Call["caller"]): boolean {
  const action: string = ACTIONS[parsed.operation];
  const versioned = parsed.parameter("versionId") !== undefined && ["s3:GetObject", "s3:DeleteObject"].includes(action);
  return mayAccess(caller, {
    action: versioned ? `${action}Version` : action,
    bucket: parsed.bucketName,
    key: parsed.key,
    prefix: parsed.parameter("prefix") ?? (action === "s3:ListBucket" ? "" : undefined),
  });
}

async function answerFailure(
  error: unknown,
  request: { readonly url: string; readonly socket: Socket },
  delivery: Delivery,
  { onBug }: RequestHandlerOptions,
): Promise<void> {
  const { response, log } = delivery;
  if (error instanceof ConnectionCut) {
    log.outcome = response.destroyed ? "abandoned" : "cut";
    cutConnection(request.socket, error.manner);
    return;
  }
  if (request.socket.destroyed) {
    // The client went away in the middle: its right, and nobody is left to be told.
    log.outcome = "abandoned";
    return;
  }
  if (!(error instanceof S3Error)) onBug(error);
  const refusal = error instanceof S3Error ? error : new S3Error("InternalError", { message: String(error) });
  if (response.headersSent) {
    log.outcome = "cut";
    cutConnection(request.socket, "reset");
    return;
  }
  log.errorCode = refusal.code;
  try {
    await sendReply(errorReply(refusal, request.url), { ...delivery, fault: undefined });
    log.outcome = "answered";
  } catch (failure) {
    log.outcome = "abandoned";
    if (!(failure instanceof ConnectionCut)) onBug(failure);
  }
}

function cutConnection(socket: Socket, manner: "reset" | "end"): void {
  if (manner === "end") socket.destroySoon();
  // A TLS connection cannot be reset by Node; without the farewell of TLS its end is as unclean.
  else if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
