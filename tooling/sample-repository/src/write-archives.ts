import { backupKey, sha256Hex, type BackupRecord } from "@soar/repository";
import {
  createCodecPool,
  DigestIndex,
  readSeekTable,
  SeekTableWriter,
  writeSeekableTar,
  type MemberLocation,
  type SeekTableSummary,
} from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";
import { SAMPLE_TABLESPACE, type SampleFiles } from "./sample-files.ts";
import { SAMPLE_CHUNK_BYTES } from "./sample-record.ts";
import { type BesideFiles, tarOf } from "./sample-tar.ts";

/** What `writeArchives` has put, as the record says it. */
export interface Written {
  readonly archives: BackupRecord["archives"];
  readonly objects: BackupRecord["objects"];
  readonly table: SeekTableSummary;
}

export interface WriteArchivesOptions {
  readonly label: string;
  readonly base?: BackupRecord;
  /** In the archive of the data directory. */
  readonly beside?: BesideFiles;
}

/** Writes the archives of a backup, or with `base` only the chunks that its backup lacks, and their seek table. */
export async function writeArchives(
  store: ObjectStore,
  { label, base, beside }: WriteArchivesOptions,
  files: SampleFiles,
): Promise<Written> {
  const frames: Buffer[] = [];
  const table = new SeekTableWriter({ chunkBytes: SAMPLE_CHUNK_BYTES, sink: (frame) => void frames.push(frame) });
  const index = base === undefined ? undefined : await indexOf(store, base);
  const kind = index === undefined ? "tar" : "members";
  const archives: BackupRecord["archives"] = [];
  const objects: BackupRecord["objects"] = [];
  const pool = createCodecPool({ workers: 1 });
  try {
    for (const [name, oid, content] of [
      [String(SAMPLE_TABLESPACE), SAMPLE_TABLESPACE, files.tablespace],
      ["base", undefined, files.base],
    ] as const) {
      const object = `${oid ?? "backup"}.${kind}.gz`;
      const resolveExisting = (sha256: Buffer, length: number): MemberLocation | undefined =>
        index?.find(sha256, length);
      const write = writeSeekableTar({
        source: [tarOf(content, oid === undefined ? beside : {})],
        name,
        objectKey: backupKey(label, object),
        codec: "gzip",
        table,
        pool,
        chunkBytes: SAMPLE_CHUNK_BYTES,
        bundleBytes: 4 * SAMPLE_CHUNK_BYTES,
        resolveExisting,
      });
      const bytes = Buffer.concat(await Array.fromAsync(write.body));
      await store.put(backupKey(label, object), bytes);
      archives.push({
        name,
        ...(oid === undefined ? {} : { oid }),
        object,
        tar: write.summary().plainBytes,
        stored: bytes.length,
      });
      objects.push({ name: object, size: bytes.length, sha256: sha256Hex(bytes) });
    }
  } finally {
    await pool.close();
  }
  const summary = await table.end();
  await store.put(backupKey(label, "index.zst"), Buffer.concat(frames));
  objects.push({ name: "index.zst", size: summary.storedBytes, sha256: summary.storedSha256 });
  return { archives, objects, table: summary };
}

async function indexOf(store: ObjectStore, { label, index }: BackupRecord): Promise<DigestIndex> {
  const key = backupKey(label, "index.zst");
  const frames = index.members.map(([storedLength, plainLength, sha256]) => ({ storedLength, plainLength, sha256 }));
  const digests = new DigestIndex();
  digests.addTable(
    await readSeekTable({
      name: key,
      frames,
      fetch: (offset, length) => readObject(store, key, { range: { offset, length } }),
    }),
  );
  return digests;
}
