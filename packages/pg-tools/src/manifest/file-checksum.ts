import { createHash } from "node:crypto";
import { crc32c } from "@node-rs/crc32";
import type { ChecksumAlgorithm } from "./checksum-algorithm.ts";
import { formatCrc32c } from "./joined-crc32c.ts";

/** Computes a file's checksum as the manifest records it. */
export interface FileChecksum {
  update(bytes: Uint8Array): void;
  /** Hexadecimal, in lower case. May be asked once. */
  digest(): string;
}

/** Begins a checksum with one of the manifest's algorithms. */
export function createFileChecksum(algorithm: ChecksumAlgorithm): FileChecksum {
  if (algorithm === "CRC32C") return createCrc32cChecksum();
  const hash = createHash(algorithm.toLowerCase());
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
}

function createCrc32cChecksum(): FileChecksum {
  let crc = 0;
  return {
    update(bytes) {
      crc = crc32c(bytes, crc);
    },
    digest: () => formatCrc32c(crc),
  };
}
