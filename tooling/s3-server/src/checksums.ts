import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** A checksum under way. */
export interface Checksum {
  update(chunk: Uint8Array): void;
  digest(): Buffer;
}

/** The algorithms of `x-amz-checksum-<algorithm>`. */
export const CHECKSUM_ALGORITHMS = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

export const CHECKSUM_HEADER = "x-amz-checksum-";

export function createChecksum(algorithm: ChecksumAlgorithm): Checksum {
  if (algorithm === "sha1" || algorithm === "sha256") return createHash(algorithm);
  if (algorithm === "crc32") return createCrc32();
  return algorithm === "crc32c" ? createCrc32c() : createCrc64Nvme();
}

/** Bytes of a digest of that algorithm. */
export function digestLength(algorithm: ChecksumAlgorithm): number {
  return { crc32: 4, crc32c: 4, crc64nvme: 8, sha1: 20, sha256: 32 }[algorithm];
}

export function isChecksumAlgorithm(name: string): name is ChecksumAlgorithm {
  return CHECKSUM_ALGORITHMS.some((algorithm) => algorithm === name);
}

function createCrc32(): Checksum {
  let value = 0;
  return {
    update(chunk) {
      value = crc32(chunk, value);
    },
    digest: () => wordsToBuffer(value),
  };
}

/** Castagnoli, reflected. */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

function createCrc32c(): Checksum {
  let value = 0xffffffff;
  return {
    update(chunk) {
      let crc = value;
      // A plain loop: for...of over a Uint8Array costs several times as much.
      for (let index = 0; index < chunk.length; index += 1) {
        crc = (CRC32C_TABLE[(crc ^ (chunk[index] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
      }
      value = crc;
    },
    digest: () => wordsToBuffer(~value),
  };
}

/** The polynomial of NVMe, reflected: 0x9a6c9329ac4bc9b5, as two halves because bitwise operators end at 32 bits. */
const CRC64_HIGH = new Uint32Array(256);
const CRC64_LOW = new Uint32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let high = 0;
  let low = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (odd === 1) {
      high ^= 0x9a6c9329;
      low ^= 0xac4bc9b5;
    }
  }
  CRC64_HIGH[byte] = high;
  CRC64_LOW[byte] = low;
}

function createCrc64Nvme(): Checksum {
  let high = 0xffffffff;
  let low = 0xffffffff;
  return {
    update(chunk) {
      for (let index = 0; index < chunk.length; index += 1) {
        const entry = (low ^ (chunk[index] ?? 0)) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ (CRC64_LOW[entry] ?? 0);
        high = (high >>> 8) ^ (CRC64_HIGH[entry] ?? 0);
      }
    },
    digest: () => wordsToBuffer(~high, ~low),
  };
}

function wordsToBuffer(...words: readonly number[]): Buffer {
  const buffer = Buffer.alloc(words.length * 4);
  words.forEach((word, index) => buffer.writeUInt32BE(word >>> 0, index * 4));
  return buffer;
}
