import { createHash } from "node:crypto";
import { crc32c } from "@node-rs/crc32";

/** Bytes of a `storedDigest`. */
export const STORED_DIGEST_BYTES = 8;

/** CRC-32C of the plain bytes of a member, which PostgreSQL's manifests are made of. */
export function crc32cOf(plain: Uint8Array): number {
  return crc32c(plain);
}

/**
 * What the stored bytes of a member are recognised by without being decompressed: the first eight bytes of their SHA-256.
 * Enough against whatever a storage does to bytes by itself; the checksum of the compressed stream is compared when it is
 * read, and a full verification compares the whole SHA-256 of the plain bytes.
 */
export function storedDigestOf(stored: Uint8Array): Buffer {
  return createHash("sha256").update(stored).digest().subarray(0, STORED_DIGEST_BYTES);
}
