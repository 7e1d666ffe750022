import { promisify } from "node:util";
import { constants, crc32, gzip, gzipSync, inflateRaw, inflateRawSync, type ZlibOptions } from "node:zlib";
import { invalid } from "./damage.ts";

/** Magic number, deflate, and no flag: no name, no extra field, no header checksum. RFC 1952, section 2.3. */
const HEADER_START = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
const WHAT = "a gzip member";

/** What an inflater found in a raw deflate stream: its data, and how many bytes of input it took to its end. */
export interface Inflated {
  readonly plain: Buffer;
  readonly consumed: number;
}

/**
 * Inflates raw deflate data synchronously; throws when the data is damaged or ends early. Never returns more than
 * `plainLength + 1` bytes. `zlib-sync` can stand in here.
 */
export type InflateSync = (deflated: Buffer, plainLength: number) => Inflated;

interface InflateResult {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}
type InflateOptions = ZlibOptions & { info: true };
type InflateWithInfo = (
  data: Buffer,
  options: InflateOptions,
  done: (error: Error | null, result: InflateResult) => void,
) => void;

// The types of Node know only the result without `info`.
const inflateWithInfo = promisify(inflateRaw as unknown as InflateWithInfo);
const inflateWithInfoSync = inflateRawSync as unknown as (data: Buffer, options: InflateOptions) => InflateResult;
const gzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gzip);

export function compressGzipSync(plain: Buffer, level: number): Buffer {
  return gzipSync(plain, compressOptions(plain, level));
}

export async function compressGzip(plain: Buffer, level: number): Promise<Buffer> {
  return await gzipAsync(plain, compressOptions(plain, level));
}

export function decompressGzipSync(
  stored: Buffer,
  plainLength: number,
  inflate: InflateSync = inflateWithNode,
): Buffer {
  const deflated = takeDeflated(stored, plainLength);
  return checkInflated(
    stored,
    plainLength,
    attempt(() => inflate(deflated, plainLength)),
  );
}

export async function decompressGzip(stored: Buffer, plainLength: number): Promise<Buffer> {
  const deflated = takeDeflated(stored, plainLength);
  const { buffer, engine } = await inflateWithInfo(deflated, inflateOptions(plainLength)).catch(damaged);
  return checkInflated(stored, plainLength, { plain: buffer, consumed: engine.bytesWritten });
}

function inflateWithNode(deflated: Buffer, plainLength: number): Inflated {
  const { buffer, engine } = inflateWithInfoSync(deflated, inflateOptions(plainLength));
  return { plain: buffer, consumed: engine.bytesWritten };
}

function compressOptions(plain: Buffer, level: number): ZlibOptions {
  // A buffer for the worst case at once costs less than collecting and joining 16 KiB pieces. What is left over has room for
  // a description behind a member of WAL.
  return { level, memLevel: 9, chunkSize: plain.length + Math.ceil(plain.length / 256) + 2048 };
}

function inflateOptions(plainLength: number): InflateOptions {
  // One byte more than needed, so that zlib sees the end of the stream without a second output buffer.
  return {
    info: true,
    chunkSize: Math.max(plainLength + 1, constants.Z_MIN_CHUNK),
    maxOutputLength: Math.max(plainLength, 1),
  };
}

/**
 * Checks header and recorded length and returns the raw deflate data between header and trailer. The header is parsed
 * here and only raw data is inflated, because `gunzip` of Node joins further members and ignores what follows the last.
 */
function takeDeflated(stored: Buffer, plainLength: number): Buffer {
  if (stored.length < HEADER_BYTES + TRAILER_BYTES + 1) throw invalid(WHAT, "it ends too early");
  if (!stored.subarray(0, HEADER_START.length).equals(HEADER_START))
    throw invalid(WHAT, "it does not begin with the header of a gzip member without fields");
  const recorded = stored.readUInt32LE(stored.length - 4);
  if (recorded !== plainLength) throw invalid(WHAT, `its recorded length is ${recorded}, expected ${plainLength}`);
  return stored.subarray(HEADER_BYTES, stored.length - TRAILER_BYTES);
}

function checkInflated(stored: Buffer, plainLength: number, { plain, consumed }: Inflated): Buffer {
  const surplus = stored.length - HEADER_BYTES - TRAILER_BYTES - consumed;
  if (surplus !== 0) throw invalid(WHAT, `${surplus} bytes lie between its data and its trailer`);
  if (plain.length !== plainLength) throw invalid(WHAT, `it holds ${plain.length} bytes, expected ${plainLength}`);
  if (crc32(plain) !== stored.readUInt32LE(stored.length - TRAILER_BYTES)) throw invalid(WHAT, "its checksum is wrong");
  return plain;
}

function attempt(work: () => Inflated): Inflated {
  try {
    return work();
  } catch (error) {
    return damaged(error);
  }
}

function damaged(cause: unknown): never {
  throw invalid(WHAT, cause instanceof Error ? cause.message.toLowerCase() : String(cause), { cause });
}
