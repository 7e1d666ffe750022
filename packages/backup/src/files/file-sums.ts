import { formatCrc32c, joinCrc32c, type ManifestFile } from "@soar/pg-tools/manifest";

/** The checksum of a file from those of its runs, which are read side by side and come in any order. */
export class FileSum {
  #crc = 0;
  /** How far the runs that are joined reach. */
  #joined = 0;
  #isBegun = false;
  /** Those behind a gap, by where they begin. */
  readonly #waiting = new Map<number, { readonly crc: number; readonly length: number }>();

  add(position: number, crc: number, length: number): void {
    this.#isBegun = true;
    this.#waiting.set(position, { crc, length });
    for (let next = this.#waiting.get(this.#joined); next !== undefined; next = this.#waiting.get(this.#joined)) {
      this.#waiting.delete(this.#joined);
      this.#crc = joinCrc32c(this.#crc, next.crc, next.length);
      this.#joined += next.length;
      if (next.length === 0) break;
    }
  }

  /** Whether everything up to this size was read. */
  isComplete(size: number): boolean {
    return this.#joined === size;
  }

  /** Undefined for a file of which nothing was read: it had vanished. Throws when only a part was. */
  finish(size: number): string | undefined {
    if (!this.#isBegun) return undefined;
    if (this.#joined !== size) throw new Error(`the runs of a file of ${size} bytes reach as far as ${this.#joined}`);
    return formatCrc32c(this.#crc);
  }
}

export interface SummedFile {
  /** Relative to the data directory, as bytes. */
  readonly path: Buffer;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly checksum: string;
}

/** A file as `backup_manifest` names it. */
export function manifestFileOf({ path, size, mtime, checksum }: SummedFile): ManifestFile {
  const text = path.toString("utf8");
  return {
    path: text,
    pathBytes: Buffer.from(text, "utf8").equals(path) ? undefined : path,
    size,
    lastModified: new Date(mtime * 1000),
    checksum: { algorithm: "CRC32C", value: checksum },
  };
}
