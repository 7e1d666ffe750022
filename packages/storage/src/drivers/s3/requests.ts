import { isIP } from "node:net";
import { failureOf } from "./failures.ts";
import type { Identity } from "./credential-chain.ts";
import { escapePath } from "./escape-uri.ts";
import { refusalOf } from "./refusal.ts";
import type { S3Settings } from "./settings.ts";
import { createSigner, sha256Hex } from "./signature.ts";
import { createTransport } from "./transport.ts";
import type { TransportCall } from "./transport-call.ts";
import type { AnswerBody } from "./transport-response.ts";
import { S3Failure } from "./wire.ts";

/** One request of S3's protocol. */
export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Of an object; the bucket itself without one. */
  readonly key?: string;
  /** Is about no bucket. */
  readonly isOfAccount?: boolean;
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: Uint8Array;
  /** Leaves the body to Content-MD5, which is signed, too. */
  readonly isUnsigned?: boolean;
  readonly call?: TransportCall;
}

export interface S3Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AnswerBody;
}

/** An answer that was read to its end. */
export interface S3ReadAnswer extends Omit<S3Answer, "body"> {
  readonly text: string;
}

/** Makes requests of one bucket, each of them once. Rejects with an `S3Failure` for every answer but one of success. */
export interface S3Requests {
  /** Gives the body as it comes. */
  open(request: S3Request): Promise<S3Answer>;
  read(request: S3Request): Promise<S3ReadAnswer>;
  close(): void;
}

/** A clock that is wrong by more is followed no longer: the server's is, as it was told with the answer before. */
const TRUSTED_SKEW_MS = 5 * 60_000;

/** Told the server's clock by an answer, a refusal included. */
export type OnDate = (date: Date) => void;

export interface RequestsOptions {
  /** What each request is signed with. */
  readonly identity: () => Promise<Identity>;
  readonly onDate: OnDate;
}

export function createRequests(settings: S3Settings, { identity, onDate }: RequestsOptions): S3Requests {
  const transport = createTransport(settings);
  const sign = createSigner();
  let aheadMs = 0;
  const sawDate = (header: string | undefined): void => {
    const date = Date.parse(header ?? "");
    if (Number.isNaN(date)) return;
    if (Math.abs(date - Date.now() - aheadMs) >= TRUSTED_SKEW_MS) aheadMs = date - Date.now();
    onDate(new Date(date));
  };
  const open = async (request: S3Request): Promise<S3Answer> => {
    const { method, body, call } = request;
    const { path, host, target } = placeOf(settings, request);
    const query = given(request.query ?? {});
    const who = await identity();
    const at = new Date(Date.now() + aheadMs);
    const headers = sign(
      { method, path, query, headers: { host, ...headersOf(request) } },
      { region: settings.region, identity: who, at },
    );
    const sent = { ...target, method, path, query, headers: { ...headers, "user-agent": "soar" }, body };
    const { response } = await transport.handle(sent, call);
    const { statusCode: status } = response;
    sawDate(response.headers["date"]);
    if (status >= 200 && status < 300) return { status, headers: response.headers, body: response.body };
    throw refusalOf(response, await textOf(response.body), at);
  };
  return {
    open: (request) => failing(() => open(request)),
    read: (request) =>
      failing(async () => {
        const { body, ...answer } = await open(request);
        return { ...answer, text: await textOf(body) };
      }),
    close: () => transport.destroy(),
  };
}

async function failing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(error);
  }
}

/** Where a request goes. The bucket stands in the path, or in the host's name where it can be a part of one. */
function placeOf({ endpoint, bucket, pathStyle }: S3Settings, { key = "", isOfAccount = false }: S3Request) {
  const { protocol, hostname, host, port, pathname } = new URL(endpoint);
  const isName = /^[a-z0-9][a-z0-9.-]+[a-z0-9]$/.test(bucket) && isIP(hostname.replace(/^\[|\]$/g, "")) === 0;
  const inHost = !isOfAccount && !pathStyle && isName;
  const inPath = !isOfAccount && !inHost;
  const named = (name: string): string => (inHost ? `${bucket}.${name}` : name);
  return {
    host: named(host),
    target: { protocol, hostname: named(hostname), ...(port !== "" && { port: Number(port) }) },
    path: `${pathname.replace(/\/+$/, "")}/${inPath ? `${escapePath(bucket)}/` : ""}${escapePath(key)}`,
  };
}

/** What stands in the head of every request beside its signature. */
function headersOf({ method, headers = {}, body, isUnsigned = false }: S3Request): Record<string, string> {
  const hasBody = method === "PUT" || method === "POST";
  return {
    ...given(headers),
    ...(hasBody && { "content-length": String(body?.byteLength ?? 0) }),
    "x-amz-content-sha256": isUnsigned ? "UNSIGNED-PAYLOAD" : sha256Hex(body ?? ""),
  };
}

function given(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** What broke off is told as the connection's end, not as the stream's. */
async function textOf(body: AnswerBody): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  if (!body.complete) throw new S3Failure("the answer broke off", { code: "ECONNRESET" });
  return Buffer.concat(chunks).toString("utf8");
}
