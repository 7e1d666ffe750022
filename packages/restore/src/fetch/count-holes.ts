import { createHash } from "node:crypto";
import { readBackupTable, tableOf, type BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** A member of nothing but zeros is much smaller than this. */
const SMALLEST_RATIO = 32;

/**
 * Bytes of each archive of a backup, by its name, that are holes when they are extracted: whole chunks of zeros, known by their
 * digests. Reads the seek table, no data.
 */
export async function countHoles(
  store: ObjectStore,
  backup: BackupRecord,
  options: CallOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const table = await readBackupTable(store, tableOf(backup), options);
  const zeros = new Map<number, Buffer>();
  const holes = new Map<string, number>();
  for (const { name, members } of table.archives) {
    let bytes = 0;
    for (let index = 0; index < members.length; index += 1) {
      const { plainLength, storedLength, codec, sha256 } = members.get(index);
      const mayBeZeros =
        codec === "none" ? plainLength === table.chunkBytes : storedLength * SMALLEST_RATIO < plainLength;
      if (mayBeZeros && zerosOf(plainLength, zeros).equals(sha256)) bytes += plainLength;
    }
    holes.set(name, bytes);
  }
  return holes;
}

function zerosOf(length: number, known: Map<number, Buffer>): Buffer {
  const digest = known.get(length) ?? createHash("sha256").update(Buffer.alloc(length)).digest();
  known.set(length, digest);
  return digest;
}
