import { createHash } from "node:crypto";
import { decodeAwsChunked, type Trailers } from "./aws-chunked.ts";
import type { S3Call } from "./call.ts";
import {
  CHECKSUM_HEADER,
  createChecksum,
  digestLength,
  isChecksumAlgorithm,
  type Checksum,
  type ChecksumAlgorithm,
} from "./checksums.ts";
import { throughRequestFault } from "./fault-effects.ts";
import { S3Error, type Refusal } from "./s3-error.ts";

export interface ReceivedBody {
  readonly size: number;
  /** Undefined when the server's ETags are opaque and nobody sent Content-MD5. */
  readonly md5: Buffer | undefined;
  /** By header name. */
  readonly checksums: Readonly<Record<string, string>>;
}

interface ExpectedBody {
  /** Bytes after decoding. */
  readonly length: number;
  readonly chunked: boolean;
  readonly sha256: string | undefined;
  readonly md5: Buffer | undefined;
  /** The one algorithm in use and the value, unless a trailer brings it. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string | undefined } | undefined;
  readonly announced: readonly string[];
}

/**
 * Reads and verifies a request body, handing the bytes to `write`. What was written counts only once this resolves:
 * length, x-amz-content-sha256, Content-MD5 and checksum are known to be wrong only at the end.
 */
export async function receiveBody(
  call: S3Call,
  write: (chunk: Uint8Array) => Promise<void> | void,
): Promise<ReceivedBody> {
  const expected = readExpectations(call);
  const trailers: Trailers = new Map();
  const sha256 = expected.sha256 === undefined ? undefined : createHash("sha256");
  const md5 = expected.md5 !== undefined || call.state.etags === "md5" ? createHash("md5") : undefined;
  const checksum = expected.checksum && createChecksum(expected.checksum.algorithm);
  let size = 0;
  call.acceptBody();
  const raw = throughRequestFault(call);
  const { proof } = call;
  for await (const chunk of expected.chunked
    ? decodeAwsChunked(raw, { proof, announced: expected.announced, trailers })
    : raw) {
    size += chunk.length;
    sha256?.update(chunk);
    md5?.update(chunk);
    checksum?.update(chunk);
    const written = write(chunk);
    if (written !== undefined) await written;
  }
  if (size !== expected.length) throw new S3Error("IncompleteBody");
  const computed = sha256?.digest("hex");
  if (computed !== expected.sha256) {
    throw new S3Error("XAmzContentSHA256Mismatch", {
      details: { ClientComputedContentSHA256: expected.sha256 ?? "", S3ComputedContentSHA256: computed ?? "" },
    });
  }
  const digest = md5?.digest();
  if (expected.md5 !== undefined && digest?.equals(expected.md5) !== true) {
    throw new S3Error("BadDigest", {
      details: { ExpectedDigest: expected.md5.toString("hex"), CalculatedDigest: digest?.toString("base64") ?? "" },
    });
  }
  return { size, md5: digest, checksums: verifyChecksum(expected, checksum, trailers) };
}

/** Reads a small body, such as an XML document. */
export async function receiveText(call: S3Call): Promise<string> {
  const chunks: Uint8Array[] = [];
  await receiveBody(call, (chunk) => void chunks.push(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

/** Throws `refusal` unless the request carries Content-MD5 or, where the provider takes it, a checksum header. */
export function requireBodyDigest(call: S3Call, refusal: Refusal = call.state.rules.missingDigest): void {
  const { bodyDigest } = call.state.rules;
  if (bodyDigest === "none" || call.header("content-md5") !== undefined) return;
  if (bodyDigest === "md5-or-checksum" && findChecksum(call) !== undefined) return;
  throw new S3Error(refusal);
}

function readExpectations(call: S3Call): ExpectedBody {
  const { payloadHash } = call.proof;
  const chunked = payloadHash.startsWith("STREAMING-");
  refuseByProfile(call, chunked);
  const length = call.header(chunked ? "x-amz-decoded-content-length" : "content-length");
  // Node refuses a Content-Length that is not a number before this is reached.
  if (length === undefined || !/^\d+$/.test(length)) throw new S3Error("MissingContentLength");
  if (Number(length) > call.state.rules.maxPutSize) {
    throw new S3Error("EntityTooLarge", {
      details: { ProposedSize: length, MaxSizeAllowed: String(call.state.rules.maxPutSize) },
    });
  }
  const checksum = findChecksum(call);
  const announced = (call.header("x-amz-trailer") ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return {
    length: Number(length),
    chunked,
    sha256: readSha256(payloadHash),
    md5: readMd5(call),
    checksum,
    announced,
  };
}

function refuseByProfile(
  { header, headerNames, proof: { payloadHash }, state: { rules } }: S3Call,
  chunked: boolean,
): void {
  const { awsChunked, checksumHeaders } = rules;
  if ((chunked || header("x-amz-trailer") !== undefined) && awsChunked !== "accepted")
    throw new S3Error(awsChunked(payloadHash));
  const offending =
    headerNames.find((name) => name.startsWith(CHECKSUM_HEADER)) ??
    headerNames.find((name) => name === "x-amz-sdk-checksum-algorithm");
  if (offending !== undefined && checksumHeaders !== "verified") throw new S3Error(checksumHeaders(offending));
}

function readSha256(payloadHash: string): string | undefined {
  if (payloadHash === "UNSIGNED-PAYLOAD" || payloadHash.startsWith("STREAMING-")) {
    if (
      /^(UNSIGNED-PAYLOAD|STREAMING-UNSIGNED-PAYLOAD-TRAILER|STREAMING-AWS4-HMAC-SHA256-PAYLOAD(-TRAILER)?)$/.test(
        payloadHash,
      )
    )
      return undefined;
  } else if (/^[0-9a-f]{64}$/.test(payloadHash)) return payloadHash;
  throw new S3Error("InvalidArgument", {
    message:
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
  });
}

function readMd5({ header, state: { rules } }: S3Call): Buffer | undefined {
  const text = header("content-md5");
  if (text === undefined || rules.contentMd5 === "unchecked") return undefined;
  if (rules.contentMd5 !== "verified") throw new S3Error(rules.contentMd5);
  const digest = Buffer.from(text, "base64");
  if (digest.length !== 16 || digest.toString("base64") !== text.trim()) throw new S3Error("InvalidDigest");
  return digest;
}

/** The checksum that the request brings, in a header or announced for the trailer. */
function findChecksum({ headerNames, header }: S3Call): ExpectedBody["checksum"] {
  const announced = (header("x-amz-trailer") ?? "").toLowerCase();
  const names = headerNames.filter(
    (name) => name.startsWith(CHECKSUM_HEADER) && isChecksumAlgorithm(name.slice(CHECKSUM_HEADER.length)),
  );
  if (announced.startsWith(CHECKSUM_HEADER)) names.push(announced);
  if (names.length > 1)
    throw new S3Error("InvalidRequest", {
      message: "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    });
  const algorithm = names[0]?.slice(CHECKSUM_HEADER.length);
  const wanted = header("x-amz-sdk-checksum-algorithm")?.toLowerCase();
  if (algorithm === undefined) {
    if (wanted === undefined) return undefined;
    throw new S3Error("InvalidRequest", {
      message:
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
    });
  }
  if (!isChecksumAlgorithm(algorithm) || (wanted !== undefined && wanted !== algorithm)) {
    throw new S3Error("InvalidRequest", { message: "Value for x-amz-sdk-checksum-algorithm header is invalid." });
  }
  return { algorithm, value: header(`${CHECKSUM_HEADER}${algorithm}`) };
}

function verifyChecksum(
  { checksum: expected }: ExpectedBody,
  computed: Checksum | undefined,
  trailers: Trailers,
): Record<string, string> {
  if (expected === undefined || computed === undefined) return {};
  const name = `${CHECKSUM_HEADER}${expected.algorithm}`;
  const given = expected.value ?? trailers.get(name) ?? "";
  if (Buffer.from(given, "base64").length !== digestLength(expected.algorithm)) {
    throw new S3Error("InvalidRequest", { message: `Value for ${name} header is invalid.` });
  }
  const value = computed.digest().toString("base64");
  if (value !== given) {
    throw new S3Error("BadDigest", {
      message: `The ${expected.algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
    });
  }
  return { [name]: value };
}
