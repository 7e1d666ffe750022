import { promisify } from "node:util";
import {
  constants,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
  type ZstdOptions,
} from "node:zlib";
import { invalid } from "./damage.ts";

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC_BASE = 0x184d2a50;
const CHECKSUM_BYTES = 4;
const WHAT = "a zstd member";

/**
 * Level 3 as `zstd -3` has it for a large file, with tables of 2^16 instead of 2^17 long and 2^10 instead of 2^16 short matches. Rows
 * of a table repeat what stands close by, a near match costs fewer bits, and small tables stay in the cache of the core: PostgreSQL
 * pages come out as large, 16 to 22 % faster (README, "The levels"). Up to 256 KiB of input the library would pick still others.
 */
const LEVEL_3_OF_LARGE_INPUTS = {
  [constants.ZSTD_c_hashLog]: 16,
  [constants.ZSTD_c_chainLog]: 10,
  [constants.ZSTD_c_minMatch]: 5,
};

const compressAsync = promisify<Buffer, ZstdOptions, Buffer>(zstdCompress);
const decompressAsync = promisify<Buffer, ZstdOptions, Buffer>(zstdDecompress);

export function compressZstdSync(plain: Buffer, level: number): Buffer {
  return zstdCompressSync(plain, compressOptions(plain, level));
}

export async function compressZstd(plain: Buffer, level: number): Promise<Buffer> {
  return await compressAsync(plain, compressOptions(plain, level));
}

export function decompressZstdSync(stored: Buffer, plainLength: number): Buffer {
  checkFrame(stored, plainLength);
  return exactly(
    plainLength,
    attempt(() => zstdDecompressSync(stored, decompressOptions(plainLength))),
  );
}

export async function decompressZstd(stored: Buffer, plainLength: number): Promise<Buffer> {
  checkFrame(stored, plainLength);
  return exactly(plainLength, await decompressAsync(stored, decompressOptions(plainLength)).catch(damaged));
}

function compressOptions(plain: Buffer, level: number): ZstdOptions {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_checksumFlag]: 1,
    [constants.ZSTD_c_contentSizeFlag]: 1,
  };
  return {
    params: level === 3 ? { ...params, ...LEVEL_3_OF_LARGE_INPUTS } : params,
    pledgedSrcSize: plain.length,
    // A buffer for the worst case at once costs less than collecting and joining pieces. The kernel gives memory for what
    // is written to only.
    chunkSize: plain.length + Math.ceil(plain.length / 256) + 128,
  };
}

function decompressOptions(plainLength: number): ZstdOptions {
  // One byte more than needed, so that zlib sees the end of the frame without a second output buffer.
  return { chunkSize: Math.max(plainLength + 1, constants.Z_MIN_CHUNK), maxOutputLength: Math.max(plainLength, 1) };
}

/**
 * Proves, before anything is decompressed, that `stored` is one zstd frame from its first to its last byte, with a
 * content checksum and the content size `plainLength`. Node's zstd must not be asked for this: 22 and 24 end without an
 * error on a truncated frame, and give no data for a skippable frame in front. RFC 8878, section 3.1.1.
 */
function checkFrame(stored: Buffer, plainLength: number): void {
  const { blocksAt, contentSize } = readFrameHeader(stored);
  if (contentSize !== BigInt(plainLength))
    throw invalid(WHAT, `its content size is ${contentSize}, expected ${plainLength}`);
  const end = findBlocksEnd(stored, blocksAt) + CHECKSUM_BYTES;
  if (end > stored.length) throw truncated();
  if (end < stored.length) throw invalid(WHAT, `${stored.length - end} bytes follow its end`);
}

interface FrameHeader {
  readonly blocksAt: number;
  readonly contentSize: bigint;
}

function readFrameHeader(stored: Buffer): FrameHeader {
  if (stored.length < 5) throw truncated();
  const magic = stored.readUInt32LE(0);
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC_BASE) throw invalid(WHAT, "it begins with a skippable frame");
  if (magic !== MAGIC) throw invalid(WHAT, "it does not begin with the magic number of zstd");
  const descriptor = stored.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x04) === 0) throw invalid(WHAT, "it has no content checksum");
  if ((descriptor & 0x1b) !== 0) throw invalid(WHAT, "it has a dictionary or reserved bits");
  const sizeAt = singleSegment ? 5 : 6;
  const sizeFlag = descriptor >>> 6;
  if (sizeFlag === 0 && !singleSegment) throw invalid(WHAT, "it has no content size");
  const sizeBytes = 2 ** sizeFlag;
  if (stored.length < sizeAt + sizeBytes) throw truncated();
  return { blocksAt: sizeAt + sizeBytes, contentSize: readContentSize(stored, sizeAt, sizeFlag) };
}

function readContentSize(stored: Buffer, at: number, sizeFlag: number): bigint {
  if (sizeFlag === 0) return BigInt(stored.readUInt8(at));
  // The two-byte form counts from 256, because smaller sizes fit in one byte.
  if (sizeFlag === 1) return BigInt(stored.readUInt16LE(at) + 256);
  if (sizeFlag === 2) return BigInt(stored.readUInt32LE(at));
  return stored.readBigUInt64LE(at);
}

/** Walks from block header to block header; returns the position behind the last block. */
function findBlocksEnd(stored: Buffer, blocksAt: number): number {
  const RAW_OR_COMPRESSED_HEADER = 3;
  let at = blocksAt;
  for (;;) {
    if (at + RAW_OR_COMPRESSED_HEADER > stored.length) throw truncated();
    const header = stored.readUIntLE(at, 3);
    const type = (header >>> 1) & 3;
    if (type === 3) throw invalid(WHAT, "it has a block of a reserved type");
    const RLE = 1;
    at += RAW_OR_COMPRESSED_HEADER + (type === RLE ? 1 : header >>> 3);
    if ((header & 1) === 1) return at;
  }
}

function truncated(): Error {
  return invalid(WHAT, "it ends too early");
}

function exactly(plainLength: number, plain: Buffer): Buffer {
  if (plain.length !== plainLength) throw invalid(WHAT, `it holds ${plain.length} bytes, expected ${plainLength}`);
  return plain;
}

function attempt(work: () => Buffer): Buffer {
  try {
    return work();
  } catch (error) {
    return damaged(error);
  }
}

function damaged(cause: unknown): never {
  throw invalid(WHAT, cause instanceof Error ? cause.message.toLowerCase() : String(cause), { cause });
}
