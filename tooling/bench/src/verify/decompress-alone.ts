import { cpus } from "node:os";
import { backupKey, BACKUP_OBJECTS, listBackupRecords, type BackupRecord } from "@soar/repository";
import { listTimelineSegments, LONGEST_DESCRIPTION, parseWalDescription, type WalObject } from "@soar/repository/wal";
import { createCodecPool, readArchive, readSeekTable, type CodecPool } from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";

/** Reading, decompressing and hashing every member of backups and WAL on all cores, and nothing else; plain bytes a second. */
export async function decompressAlone(store: ObjectStore): Promise<number> {
  const pool = createCodecPool({ workers: cpus().length });
  const start = performance.now();
  let plain = 0;
  try {
    for (const record of await listBackupRecords(store)) plain += await readMembers(store, record, pool);
    const { segments } = await listTimelineSegments(store, 1, 16 * 1024 * 1024);
    const read = (object: WalObject): Promise<number> => readSegment(store, object, pool);
    for await (const length of mapOrdered([...segments.values()].flat(), read, { maxItems: cpus().length * 2 }))
      plain += length;
  } finally {
    await pool.close();
  }
  return plain / ((performance.now() - start) / 1000);
}

async function readMembers(store: ObjectStore, { label, index }: BackupRecord, pool: CodecPool): Promise<number> {
  const key = backupKey(label, BACKUP_OBJECTS.index);
  const frames = index.members.map(([storedLength, plainLength, sha256]) => ({ storedLength, plainLength, sha256 }));
  const fetch = (object: string, offset: number, length: number): Promise<Buffer> =>
    readObject(store, object, { range: { offset, length } });
  const table = await readSeekTable({ name: key, frames, fetch: (offset, length) => fetch(key, offset, length) });
  let plain = 0;
  for (const archive of table.archives)
    for await (const piece of readArchive(archive, { fetch, pool })) plain += piece.length;
  return plain;
}

async function readSegment(store: ObjectStore, object: WalObject, pool: CodecPool): Promise<number> {
  const stored = await readObject(store, object.key);
  const { description } = parseWalDescription(stored.subarray(-LONGEST_DESCRIPTION), "zstd", object.key);
  const [length = 0] = description.members;
  await pool.decompress(stored.subarray(0, length), {
    codec: "zstd",
    plainLength: description.size,
    sha256: Buffer.from(description.sha256, "hex"),
  });
  return description.size;
}
