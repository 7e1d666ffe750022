import type { IncomingMessage } from "node:http";
import { findOperation, type OperationName } from "./operation-names.ts";
import { S3Error } from "./s3-error.ts";

const MAX_KEY_BYTES = 1024;

/** A request as it came: parsed, nothing believed yet. */
export interface ParsedRequest {
  readonly method: string;
  /** Decoded. */
  readonly path: string;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly bucketName: string;
  readonly key: string;
  readonly operation: OperationName;
  readonly header: (name: string) => string | undefined;
  /** Lower-case names. */
  readonly headerNames: readonly string[];
  /** A parameter's value; "" when it has none; undefined when it is absent. */
  readonly parameter: (name: string) => string | undefined;
}

/** Takes a request apart. `hostnames` are the suffixes that make `bucket.<hostname>` a bucket's own address. */
export function parseRequest(request: IncomingMessage, hostnames: readonly string[]): ParsedRequest {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const path = decode(mark < 0 ? url : url.slice(0, mark));
  const query = mark < 0 ? [] : parseQuery(url.slice(mark + 1));
  const headers = collectHeaders(request.rawHeaders);
  const parameters = new Map(query);
  const { bucketName, key } = findTarget(path, headers.get("host") ?? "", hostnames);
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new S3Error("KeyTooLongError", {
      details: { MaxSizeAllowed: String(MAX_KEY_BYTES), Size: String(Buffer.byteLength(key)) },
    });
  }
  const method = request.method ?? "GET";
  const copies = headers.has("x-amz-copy-source");
  return {
    method,
    path,
    query,
    bucketName,
    key,
    operation: findOperation(method, { bucketName, key, copies }, new Set(parameters.keys())),
    headerNames: [...headers.keys()],
    header: (name) => headers.get(name),
    parameter: (name) => parameters.get(name),
  };
}

function findTarget(path: string, host: string, hostnames: readonly string[]): { bucketName: string; key: string } {
  const hostname = host.replace(/:\d+$/, "").toLowerCase();
  const suffix = hostnames.find((name) => hostname.endsWith(`.${name}`));
  if (suffix !== undefined) return { bucketName: hostname.slice(0, -suffix.length - 1), key: path.slice(1) };
  const slash = path.indexOf("/", 1);
  return slash < 0
    ? { bucketName: path.slice(1), key: "" }
    : { bucketName: path.slice(1, slash), key: path.slice(slash + 1) };
}

function parseQuery(text: string): [string, string][] {
  return text
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.slice(0, equals);
      return [decode(name.replaceAll("+", " ")), equals < 0 ? "" : decode(part.slice(equals + 1).replaceAll("+", " "))];
    });
}

/** Repeated headers become one, joined by commas, which is also how a signature sees them. */
function collectHeaders(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    // HTTP carries bytes, which Node reads as Latin-1; S3 metadata is UTF-8.
    const value = Buffer.from(rawHeaders[index + 1] ?? "", "latin1").toString("utf8");
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return headers;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) throw new S3Error("InvalidURI");
    throw error;
  }
}
