import { createHash } from "node:crypto";
import { archiveObjects, backupKey, type BackupRecord } from "@soar/repository";
import type { DamageReport } from "./damage-report.ts";

interface Progress {
  readonly size: number;
  readonly sha256: string;
  readonly hash: ReturnType<typeof createHash>;
  /** Bytes that were hashed; undefined when some were left out. */
  end: number | undefined;
}

/** The recorded SHA-256 of a backup's own archive objects, over the ranges in which they are read in order. */
export class StoredDigests {
  readonly #objects: ReadonlyMap<string, Progress>;

  constructor(record: BackupRecord) {
    const { label, objects } = record;
    const names = new Set(archiveObjects(record));
    const own = objects.filter(({ name }) => names.has(name));
    this.#objects = new Map(
      own.map(({ name, size, sha256 }) => [
        backupKey(label, name),
        { size, sha256, hash: createHash("sha256"), end: 0 },
      ]),
    );
  }

  add(object: string, offset: number, bytes: Uint8Array): void {
    const progress = this.#objects.get(object);
    if (progress?.end === undefined || offset + bytes.length <= progress.end) return;
    if (offset > progress.end) progress.end = undefined;
    else {
      progress.hash.update(bytes.subarray(progress.end - offset));
      progress.end = offset + bytes.length;
    }
  }

  /** Bits that no decompressor looks at are found here only. */
  compare(report: DamageReport): void {
    for (const [object, { size, sha256, hash, end }] of this.#objects) {
      if (end === size && hash.digest("hex") !== sha256)
        report.object(object, "the SHA-256 of its bytes is not the recorded one");
    }
  }
}
