/** `MANIFEST_CHECKSUMS` of BASE_BACKUP, except NONE. CRC32C is the default. */
export const CHECKSUM_ALGORITHMS = ["CRC32C", "SHA224", "SHA256", "SHA384", "SHA512"] as const;

export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** Bytes of a checksum. */
export const CHECKSUM_SIZES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32C: 4,
  SHA224: 28,
  SHA256: 32,
  SHA384: 48,
  SHA512: 64,
};
