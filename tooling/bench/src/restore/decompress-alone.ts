import { createWriteStream, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { backupKey, BACKUP_OBJECTS, requireBackupRecord } from "@soar/repository";
import { createCodecPool, extractArchive, readSeekTable, type SeekTable } from "@soar/seekable-tar";
import { readObject } from "@soar/storage";
import type { Measured } from "../measured.ts";
import type { Backup } from "./take-backup.ts";

/** What the machine could do without the program around it. */
export interface Alone {
  measure(parent: string): Promise<Measured>;
  close(): Promise<void>;
}

/** Decompressing, hashing and writing from a local copy of the object, with the same threads and nothing else. The copy lies in `directory`. */
export async function openAlone({ label, store, codec }: Backup, directory: string): Promise<Alone> {
  const record = await requireBackupRecord(store, label);
  const key = backupKey(label, BACKUP_OBJECTS.index);
  const table: SeekTable = await readSeekTable({
    name: key,
    frames: record.index.members.map(([storedLength, plainLength, sha256]) => ({ storedLength, plainLength, sha256 })),
    fetch: (offset, length, signal) => readObject(store, key, { range: { offset, length }, signal }),
  });
  const [archive] = table.archives;
  const object = archive?.members.get(0).object ?? "";
  const local = join(directory, `object-${codec}`);
  await pipeline(await store.get(object), createWriteStream(local));
  const file = await open(local);
  const pool = createCodecPool({ workers: cpus().length });
  return {
    async measure(parent) {
      const targetDir = join(parent, "alone");
      const start = performance.now();
      const fetch = async (_: string, offset: number, length: number): Promise<Buffer> =>
        (await file.read(Buffer.allocUnsafeSlow(length), 0, length, offset)).buffer;
      const { plainBytes } =
        archive === undefined ? { plainBytes: 0 } : await extractArchive(archive, { targetDir, fetch, pool });
      const seconds = (performance.now() - start) / 1000;
      rmSync(targetDir, { recursive: true });
      return { seconds, plain: plainBytes, stored: statSync(local).size, peak: 0 };
    },
    async close() {
      await pool.close();
      await file.close();
      rmSync(local);
    },
  };
}
