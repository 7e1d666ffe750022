import { type Codec, DEFAULT_LEVELS, MEMBER_LIMIT_BYTES } from "./codec.ts";
import { invalid } from "./damage.ts";
import { compressGzip, compressGzipSync, decompressGzip, decompressGzipSync, type InflateSync } from "./gzip-member.ts";
import { compressZstd, compressZstdSync, decompressZstd, decompressZstdSync } from "./zstd-member.ts";

export interface CompressOptions {
  /** Compression level of the codec; by default the one of `DEFAULT_LEVELS`. */
  readonly level?: number | undefined;
}

/**
 * Compresses bytes to exactly one gzip member or one zstd frame (with content size and checksum); `none` gives the same
 * buffer back. Runs on Node's own thread pool: for bulk work use `createCodecPool`.
 */
export async function compressMember(codec: Codec, plain: Buffer, options: CompressOptions = {}): Promise<Buffer> {
  const level = options.level ?? DEFAULT_LEVELS[codec];
  if (codec === "none") return plain;
  return codec === "zstd" ? await compressZstd(plain, level) : await compressGzip(plain, level);
}

/** `compressMember` on the calling thread. */
export function compressMemberSync(codec: Codec, plain: Buffer, options: CompressOptions = {}): Buffer {
  const level = options.level ?? DEFAULT_LEVELS[codec];
  if (codec === "none") return plain;
  return codec === "zstd" ? compressZstdSync(plain, level) : compressGzipSync(plain, level);
}

/**
 * Gives back exactly the `plainLength` bytes that one member holds. Rejects with `FORMAT_INVALID` when the member is
 * truncated, damaged, of another length, or when anything stands before or behind it: never with fewer bytes.
 */
export async function decompressMember(codec: Codec, stored: Buffer, plainLength: number): Promise<Buffer> {
  checkLength(plainLength);
  if (codec === "none") return checkBare(stored, plainLength);
  return codec === "zstd" ? await decompressZstd(stored, plainLength) : await decompressGzip(stored, plainLength);
}

/** `decompressMember` on the calling thread; throws what that one rejects with. */
export function decompressMemberSync(codec: Codec, stored: Buffer, plainLength: number, inflate?: InflateSync): Buffer {
  checkLength(plainLength);
  if (codec === "none") return checkBare(stored, plainLength);
  return codec === "zstd" ? decompressZstdSync(stored, plainLength) : decompressGzipSync(stored, plainLength, inflate);
}

function checkLength(plainLength: number): void {
  const possible = Number.isInteger(plainLength) && plainLength >= 0 && plainLength <= MEMBER_LIMIT_BYTES;
  if (!possible) throw invalid("a member", `${plainLength} bytes is no possible length`);
}

function checkBare(stored: Buffer, plainLength: number): Buffer {
  if (stored.length !== plainLength)
    throw invalid("a bare member", `it holds ${stored.length} bytes, expected ${plainLength}`);
  return stored;
}
