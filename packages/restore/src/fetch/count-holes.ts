import { createHash } from "node:crypto";
import { readBackupTableRows, tableOf, type BackupRecord } from "@soar/repository";
import type { Codec } from "@soar/seekable-tar";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** A member of nothing but zeros is much smaller than this. */
const SMALLEST_RATIO = 32;

export interface CountHolesOptions extends CallOptions {
  /** Files whose holes count; all without it. */
  readonly select?: ((entry: { readonly path: string; readonly type: string }) => boolean) | undefined;
}

/**
 * Bytes of each archive of a backup, by its name, that are holes when they are extracted: whole chunks of zeros, known by their
 * digests. Reads the seek table, no data.
 */
export async function countHoles(
  store: ObjectStore,
  backup: BackupRecord,
  { select, ...options }: CountHolesOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const zeros = new Map<number, Buffer>();
  const holes = new Map<string, number>();
  const codecs: Codec[] = [];
  let [chunkBytes, archive, isSelected] = [0, "", false];
  for await (const rows of readBackupTableRows(store, tableOf(backup), options)) {
    for (const row of rows) {
      if (row.kind === "header") chunkBytes = row.chunkBytes;
      else if (row.kind === "object") codecs.push(row.codec);
      else if (row.kind === "archive") holes.set((archive = row.name), 0);
      else if (row.kind === "entry") isSelected = select?.(row.entry) ?? true;
      if (row.kind !== "member" || !isSelected) continue;
      const { object, plainLength, storedLength, sha256 } = row;
      const mayBeZeros =
        codecs[object] === "none" ? plainLength === chunkBytes : storedLength * SMALLEST_RATIO < plainLength;
      if (mayBeZeros && zerosOf(plainLength, zeros).equals(sha256))
        holes.set(archive, (holes.get(archive) ?? 0) + plainLength);
    }
  }
  return holes;
}

/** Of all archives together. */
export function totalHoles(holes: ReadonlyMap<string, number>): number {
  return [...holes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function zerosOf(length: number, known: Map<number, Buffer>): Buffer {
  const digest = known.get(length) ?? createHash("sha256").update(Buffer.alloc(length)).digest();
  known.set(length, digest);
  return digest;
}
