import {
  encodePath,
  encodeUri,
  canonicalRequest,
  formatScope,
  formatTimestamp,
  sha256Hex,
  signature,
  signingKey,
  stringToSign,
} from "./sigv4.ts";

/** Who signs, and for where. */
export interface Signer {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly region: string;
}

export interface UnsignedRequest {
  readonly method: string;
  /** With the port, unless it is the protocol's own. */
  readonly host: string;
  /** Decoded, beginning with a slash. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Digest of the body or a word such as UNSIGNED-PAYLOAD. */
  readonly payloadHash: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface SignedRequest {
  /** Encoded path and query. */
  readonly url: string;
  readonly headers: Record<string, string>;
  /** For the chunks of a STREAMING-AWS4 body. */
  readonly chunks: { readonly key: Buffer; readonly scope: string; readonly timestamp: string; readonly seed: string };
}

/** Signs with an Authorization header. Every header that is given is signed. */
export function signRequest(signer: Signer, request: UnsignedRequest): SignedRequest {
  const timestamp = formatTimestamp(request.time);
  const scope = { date: timestamp.slice(0, 8), region: signer.region, service: "s3" };
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    "x-amz-date": timestamp,
    "x-amz-content-sha256": request.payloadHash,
    ...(signer.sessionToken !== undefined && { "x-amz-security-token": signer.sessionToken }),
  };
  const signedHeaders = Object.keys(headers).sort();
  const query = Object.entries(request.query);
  const canonical = canonicalRequest({ ...request, query, signedHeaders, header: (name) => headers[name] });
  const key = signingKey(signer.secretAccessKey, scope);
  const seed = signature(key, stringToSign(canonical, timestamp, scope));
  const authorization = `AWS4-HMAC-SHA256 Credential=${signer.accessKeyId}/${formatScope(scope)},SignedHeaders=${signedHeaders.join(";")},Signature=${seed}`;
  return {
    url: formatUrl(request.path, query),
    headers: { ...headers, authorization },
    chunks: { key, scope: formatScope(scope), timestamp, seed },
  };
}

/** Signs in the query: a link that works without headers for `expiresSeconds`. */
export function presignUrl(
  signer: Signer,
  request: Omit<UnsignedRequest, "payloadHash">,
  expiresSeconds: number,
): string {
  const timestamp = formatTimestamp(request.time);
  const scope = { date: timestamp.slice(0, 8), region: signer.region, service: "s3" };
  const headers: Record<string, string> = { ...request.headers, host: request.host };
  const signedHeaders = Object.keys(headers).sort();
  const query: [string, string][] = [
    ...Object.entries(request.query),
    ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"],
    ["X-Amz-Credential", `${signer.accessKeyId}/${formatScope(scope)}`],
    ["X-Amz-Date", timestamp],
    ["X-Amz-Expires", String(expiresSeconds)],
    ["X-Amz-SignedHeaders", signedHeaders.join(";")],
  ];
  if (signer.sessionToken !== undefined) query.push(["X-Amz-Security-Token", signer.sessionToken]);
  const canonical = canonicalRequest({
    ...request,
    query,
    signedHeaders,
    header: (name) => headers[name],
    payloadHash: "UNSIGNED-PAYLOAD",
  });
  const value = signature(signingKey(signer.secretAccessKey, scope), stringToSign(canonical, timestamp, scope));
  return formatUrl(request.path, [...query, ["X-Amz-Signature", value]]);
}

/** Frames a body as aws-chunked; signs the chunks when the payload hash says so. */
export function encodeAwsChunked(body: Buffer, options: AwsChunkedBody): Buffer {
  const { payloadHash, chunkSize, trailers = {} } = options;
  const signed = payloadHash.startsWith("STREAMING-AWS4");
  let previous = options.chunks.seed;
  const sign = (algorithm: string, lines: readonly string[]): string => {
    previous = signature(
      options.chunks.key,
      [algorithm, options.chunks.timestamp, options.chunks.scope, previous, ...lines].join("\n"),
    );
    return previous;
  };
  const pieces: (string | Buffer)[] = [];
  for (let start = 0; start <= body.length; start += chunkSize) {
    const data = body.subarray(start, start + chunkSize);
    if (data.length === 0) break;
    const suffix = signed
      ? `;chunk-signature=${sign("AWS4-HMAC-SHA256-PAYLOAD", [sha256Hex(""), sha256Hex(data)])}`
      : "";
    pieces.push(`${data.length.toString(16)}${suffix}\r\n`, data, "\r\n");
  }
  pieces.push(
    signed ? `0;chunk-signature=${sign("AWS4-HMAC-SHA256-PAYLOAD", [sha256Hex(""), sha256Hex("")])}\r\n` : "0\r\n",
  );
  const lines = Object.entries(trailers).map(([name, value]) => `${name}:${value}`);
  for (const line of lines) pieces.push(`${line}\r\n`);
  if (signed && payloadHash.endsWith("-TRAILER")) {
    const value = sign("AWS4-HMAC-SHA256-TRAILER", [sha256Hex(lines.map((line) => `${line}\n`).join(""))]);
    pieces.push(`x-amz-trailer-signature:${value}\r\n`);
  }
  pieces.push("\r\n");
  return Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
}

export interface AwsChunkedBody {
  readonly payloadHash: string;
  readonly chunkSize: number;
  readonly chunks: SignedRequest["chunks"];
  readonly trailers?: Readonly<Record<string, string>>;
}

function formatUrl(path: string, query: readonly (readonly [string, string])[]): string {
  const parameters = query.map(([name, value]) => `${encodeUri(name)}=${encodeUri(value)}`);
  return parameters.length === 0 ? encodePath(path) : `${encodePath(path)}?${parameters.join("&")}`;
}
