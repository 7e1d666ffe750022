import { createHash, createHmac } from "node:crypto";

/** The parts of a request that a signature of version 4 covers. */
export interface SignableRequest {
  readonly method: string;
  /** Decoded path. S3 encodes it once, unlike every other AWS service. */
  readonly path: string;
  readonly query: readonly (readonly [name: string, value: string])[];
  /** Lower-case names of the signed headers, in any order. */
  readonly signedHeaders: readonly string[];
  readonly header: (name: string) => string | undefined;
  /** The value of x-amz-content-sha256: a digest or one of the words that stand in for it. */
  readonly payloadHash: string;
}

/** `20130524/us-east-1/s3/aws4_request`, taken apart. */
export interface CredentialScope {
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export function formatScope({ date, region, service }: CredentialScope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, task 1. */
export function canonicalRequest(request: SignableRequest): string {
  const names = [...request.signedHeaders].sort();
  return [
    request.method,
    encodePath(request.path),
    canonicalQuery(request.query),
    ...names.map((name) => `${name}:${(request.header(name) ?? "").trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    request.payloadHash,
  ].join("\n");
}

/** Task 2: what the signing key signs. */
export function stringToSign(canonical: string, timestamp: string, scope: CredentialScope): string {
  return ["AWS4-HMAC-SHA256", timestamp, formatScope(scope), sha256Hex(canonical)].join("\n");
}

/** Task 3: the key of one day, region and service. */
export function signingKey(secretAccessKey: string, { date, region, service }: CredentialScope): Buffer {
  return [date, region, service, "aws4_request"].reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${secretAccessKey}`),
  );
}

export function signature(key: Buffer, text: string): string {
  return hmac(key, text).toString("hex");
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Everything but A-Z a-z 0-9 - . _ ~ becomes %XX. */
export function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function encodePath(path: string): string {
  return path.split("/").map(encodeUri).join("/");
}

function canonicalQuery(query: SignableRequest["query"]): string {
  return query
    .map(([name, value]) => [encodeUri(name), encodeUri(value)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compareAscii(nameA, nameB) || compareAscii(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function compareAscii(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** `20130524T000000Z` as milliseconds since 1970, or undefined when it is not such a time. */
export function parseTimestamp(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

export function formatTimestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/[-:]|\.\d{3}/g, "");
}
