import { Agent, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { presignUrl, signRequest, type Signer } from "./sign-request.ts";
import { sha256Hex } from "./sigv4.ts";
import { parseXml, textOf } from "./xml.ts";

/**
 * A bare S3 client for tests: it sends exactly what it is told, also what no SDK would send, and judges nothing.
 * It shares the signing code with the server; that code is checked against AWS's published examples.
 */
export interface S3TestClient {
  send(request: RawS3Request): Promise<RawS3Response>;
  /** Same, without a signature or a changed header: `url` is path and query as they go over the wire. */
  sendRaw(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array,
  ): Promise<RawS3Response>;
  /** Path and query of a presigned link. */
  presign(request: RawS3Request, expiresSeconds: number): string;
  close(): void;
}

export interface RawS3Request {
  readonly method: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Instead of the digest of the body. */
  readonly payloadHash?: string;
  /** Instead of now; milliseconds since 1970. */
  readonly time?: number;
  readonly signal?: AbortSignal;
}

export interface RawS3Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
  /** Code of the error document, if it is one. */
  readonly errorCode: string | undefined;
  /** Message of the error document, if it is one. */
  readonly errorMessage: string | undefined;
}

export interface S3TestClientOptions extends Omit<Signer, "region"> {
  readonly endpoint: string;
  readonly region: string;
  /** The default bucket of requests. */
  readonly bucket?: string;
  /** Trusted certificate, for https. */
  readonly caPem?: string | undefined;
}

export function createS3TestClient(options: S3TestClientOptions): S3TestClient {
  const { host } = new URL(options.endpoint);
  const agent = new Agent({ keepAlive: true });
  const locate = ({ bucket = options.bucket ?? "", key }: RawS3Request): string =>
    `/${bucket}${key === undefined ? "" : `/${key}`}`;
  const unsigned = (request: RawS3Request) => ({
    method: request.method,
    host,
    path: locate(request),
    query: request.query ?? {},
    headers: request.headers ?? {},
    time: request.time ?? Date.now(),
  });
  const sendRaw: S3TestClient["sendRaw"] = (method, url, headers, body) =>
    transmit(options, agent, { method, url, headers, body });
  return {
    async send(request) {
      const body = typeof request.body === "string" ? Buffer.from(request.body) : request.body;
      const signed = signRequest(options, {
        ...unsigned(request),
        payloadHash: request.payloadHash ?? sha256Hex(body ?? ""),
      });
      const length: Record<string, string> = body === undefined ? {} : { "content-length": String(body.length) };
      return transmit(options, agent, {
        method: request.method,
        url: signed.url,
        headers: { ...length, ...signed.headers },
        body,
        signal: request.signal,
      });
    },
    sendRaw,
    presign: (request, expiresSeconds) => presignUrl(options, unsigned(request), expiresSeconds),
    close() {
      agent.destroy();
    },
  };
}

interface Transmission {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

function transmit(
  { endpoint, caPem }: S3TestClientOptions,
  agent: Agent,
  { method, url, headers, body, signal }: Transmission,
): Promise<RawS3Response> {
  const { hostname, port, protocol } = new URL(endpoint);
  // S3 headers are UTF-8, and Node takes header values for Latin-1.
  const wire = Object.entries(headers).map(([name, value]) => [name, Buffer.from(value, "utf8").toString("latin1")]);
  const target = {
    hostname,
    port,
    path: url,
    method,
    headers: Object.fromEntries(wire) as Record<string, string>,
    ...(signal !== undefined && { signal }),
  };
  return new Promise((resolve, reject) => {
    const request =
      protocol === "https:"
        ? httpsRequest({ ...target, agent: false, ...(caPem !== undefined && { ca: caPem }) })
        : httpRequest({ ...target, agent });
    request.once("error", reject);
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => void chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const received = Buffer.concat(chunks);
        const fields = Object.entries(response.headers).map(([name, value]) => [
          name,
          Buffer.from(String(value), "latin1").toString("utf8"),
        ]);
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(fields),
          body: received,
          ...describeBody(received),
        });
      });
    });
    request.end(body);
  });
}

function describeBody(body: Buffer): Pick<RawS3Response, "text" | "errorCode" | "errorMessage"> {
  const text = body.toString("utf8");
  const error = /^<\?xml[^>]*>\s*<Error>/.test(text) ? parseXml(text, "Error") : undefined;
  return { text, errorCode: error && textOf(error, "Code"), errorMessage: error && textOf(error, "Message") };
}
