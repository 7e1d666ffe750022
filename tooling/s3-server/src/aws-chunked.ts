import type { PayloadProof } from "./call.ts";
import { createHash } from "node:crypto";
import { S3Error } from "./s3-error.ts";
import { sha256Hex, signature } from "./sigv4.ts";

const MAX_LINE = 16 * 1024;

/** Trailing headers of a body, lower case; filled when the last chunk has been read. */
export type Trailers = Map<string, string>;

export interface AwsChunkedOptions {
  readonly proof: PayloadProof;
  /** Names that x-amz-trailer announced, lower case. */
  readonly announced: readonly string[];
  /** Receives the trailers. */
  readonly trailers: Trailers;
}

/**
 * Decodes a body in aws-chunked form: yields the bytes, verifies each chunk's signature (unless the form is unsigned)
 * and collects trailers. Throws SignatureDoesNotMatch, IncompleteBody and MalformedTrailerError.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Uint8Array>,
  options: AwsChunkedOptions,
): AsyncIterable<Uint8Array> {
  const { payloadHash } = options.proof;
  const reader = createByteReader(source);
  try {
    const signer = payloadHash.startsWith("STREAMING-UNSIGNED") ? undefined : createChunkSigner(options.proof);
    yield* decodeChunks(reader, signer);
    await readTrailers(reader, options);
    if (payloadHash.endsWith("-TRAILER")) signer?.verifyTrailers(options.trailers);
  } finally {
    // Lets go of the source, which nobody else could drain while this holds it.
    await reader.close();
  }
}

async function* decodeChunks(reader: ByteReader, signer: ChunkSigner | undefined): AsyncIterable<Uint8Array> {
  for (;;) {
    const { size, given } = parseChunkHeader(await reader.readLine(), signer !== undefined);
    const hash = signer === undefined ? undefined : createHash("sha256");
    for await (const bytes of reader.readBytes(size)) {
      hash?.update(bytes);
      yield bytes;
    }
    if (hash !== undefined) signer?.verifyChunk(hash.digest("hex"), given ?? "");
    if (size === 0) break;
    if ((await reader.readLine()) !== "") throw new S3Error("IncompleteBody");
  }
}

function parseChunkHeader(line: string, signed: boolean): { size: number; given: string | undefined } {
  const match = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
  if (match === null || (signed && match[2] === undefined)) {
    throw new S3Error("IncompleteBody", { message: "The request body is not in the announced aws-chunked form" });
  }
  return { size: parseInt(match[1] ?? "", 16), given: match[2] };
}

async function readTrailers(reader: ByteReader, { announced, trailers }: AwsChunkedOptions): Promise<void> {
  for (let line = await reader.readLine(); line !== ""; line = await reader.readLine()) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new S3Error("MalformedTrailerError");
    trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  if (announced.some((name) => !trailers.has(name))) throw new S3Error("MalformedTrailerError");
}

interface ChunkSigner {
  verifyChunk(dataHash: string, given: string): void;
  verifyTrailers(trailers: Trailers): void;
}

/** Each signature covers the one before, so that chunks cannot be swapped. */
function createChunkSigner({ signing }: PayloadProof): ChunkSigner {
  if (signing === undefined) throw new S3Error("AccessDenied");
  const { key, scope, timestamp, seed } = signing;
  let previous = seed;
  function verify(algorithm: string, lines: readonly string[], given: string): void {
    const expected = signature(key, [algorithm, timestamp, scope, previous, ...lines].join("\n"));
    if (given !== expected) throw new S3Error("SignatureDoesNotMatch");
    previous = expected;
  }
  return {
    verifyChunk(dataHash, given) {
      verify("AWS4-HMAC-SHA256-PAYLOAD", [sha256Hex(""), dataHash], given);
    },
    verifyTrailers(trailers) {
      const given = trailers.get("x-amz-trailer-signature") ?? "";
      const lines = [...trailers]
        .filter(([name]) => name !== "x-amz-trailer-signature")
        .map(([name, value]) => `${name}:${value}\n`);
      verify("AWS4-HMAC-SHA256-TRAILER", [sha256Hex(lines.join(""))], given);
    },
  };
}

interface ByteReader {
  /** Up to the next CRLF, which is consumed. An end of the source counts as the end of an empty line. */
  readLine(): Promise<string>;
  readBytes(count: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

function createByteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  async function pull(): Promise<Buffer | undefined> {
    const { value, done } = await iterator.next();
    return done === true ? undefined : Buffer.from(value.buffer, value.byteOffset, value.length);
  }
  return {
    async readLine() {
      for (;;) {
        const end = rest.indexOf("\r\n");
        if (end >= 0) {
          const line = rest.toString("latin1", 0, end);
          rest = rest.subarray(end + 2);
          return line;
        }
        const more = rest.length > MAX_LINE ? undefined : await pull();
        if (more === undefined) {
          if (rest.length > 0) throw new S3Error("IncompleteBody");
          return "";
        }
        rest = Buffer.concat([rest, more]);
      }
    },
    async *readBytes(count) {
      let wanted = count;
      while (wanted > 0) {
        if (rest.length === 0) rest = (await pull()) ?? Buffer.alloc(0);
        if (rest.length === 0) throw new S3Error("IncompleteBody");
        const bytes = rest.subarray(0, wanted);
        rest = rest.subarray(bytes.length);
        wanted -= bytes.length;
        yield bytes;
      }
    },
    async close() {
      await iterator.return?.();
    },
  };
}
