import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { ObjectContent, S3Reply } from "./call.ts";
import type { ActiveFault } from "./fault.ts";
import { ConnectionCut, throughResponseFault } from "./fault-effects.ts";
import type { S3RequestLog } from "./request-log.ts";
import type { S3Error } from "./s3-error.ts";
import { formatXml, type XmlElement } from "./xml.ts";

export interface Delivery {
  readonly response: ServerResponse;
  readonly log: S3RequestLog;
  readonly fault: ActiveFault | undefined;
}

/** Sends an answer as far as the fault lets it. Resolves when the last byte has left. */
export async function sendReply(reply: S3Reply, delivery: Delivery): Promise<void> {
  if (delivery.fault?.fault.type === "early-reply" && delivery.response.headersSent) return;
  const content = typeof reply.body === "string" ? textContent(reply.body) : reply.body;
  try {
    if (delivery.fault?.fault.type === "lost-reply") throw new ConnectionCut("reset");
    await sendContent(reply, content, delivery);
  } finally {
    content?.close();
  }
}

async function sendContent(
  reply: S3Reply,
  content: ObjectContent | undefined,
  { response, log, fault }: Delivery,
): Promise<void> {
  const withoutBody = log.method === "HEAD" || reply.status === 204 || reply.status === 304;
  const headers: Record<string, string> = {
    "x-amz-request-id": randomBytes(8).toString("hex").toUpperCase(),
    "x-amz-id-2": randomBytes(16).toString("base64"),
    server: "AmazonS3",
    ...(typeof reply.body === "string" && { "content-type": "application/xml" }),
    ...(reply.status !== 204 && reply.status !== 304 && { "content-length": String(promisedLength(content, fault)) }),
    // Metadata is UTF-8, and Node takes header values for Latin-1.
    ...mapValues(reply.headers ?? {}, (value) => Buffer.from(value, "utf8").toString("latin1")),
  };
  log.status = reply.status;
  response.writeHead(reply.status, headers);
  if (content !== undefined && !withoutBody) {
    const chunks = fault === undefined ? content.chunks : throughResponseFault(content.chunks, fault);
    for await (const chunk of chunks) {
      log.responseBytes += chunk.length;
      if (!response.write(chunk)) await eventOrClose(response, "drain");
      if (response.destroyed) throw new ConnectionCut("end");
    }
  }
  response.end();
  if (!response.writableFinished) await eventOrClose(response, "finish");
}

function mapValues(
  values: Readonly<Record<string, string>>,
  change: (value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}

/** A server that lies about a truncated body promises no more than it sends. */
function promisedLength(content: ObjectContent | undefined, fault: ActiveFault | undefined): number {
  const length = content?.length ?? 0;
  if (fault?.fault.type !== "truncate-response" || fault.fault.lie !== true) return length;
  return Math.min(length, fault.fault.afterBytes);
}

/** Waits for an event, or for the end of the connection, and leaves no listener behind. */
async function eventOrClose(response: ServerResponse, event: "drain" | "finish"): Promise<void> {
  if (response.destroyed) return;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      response.off(event, settle).off("close", settle);
      resolve();
    };
    response.on(event, settle).on("close", settle);
  });
}

function textContent(text: string): ObjectContent {
  const bytes = Buffer.from(text);
  return {
    length: bytes.length,
    chunks: (async function* () {
      yield bytes;
    })(),
    close() {},
  };
}

/** The error document, with the elements that clients look at. */
export function errorReply(error: S3Error, resource: string): S3Reply {
  const details = Object.entries(error.details).map(([name, value]): XmlElement => [name, value]);
  return {
    status: error.status,
    headers: error.headers,
    body: formatXml("Error", [
      ["Code", error.code],
      ["Message", error.message],
      ...details,
      ["Resource", resource],
      ["RequestId", randomBytes(8).toString("hex").toUpperCase()],
    ]),
  };
}
