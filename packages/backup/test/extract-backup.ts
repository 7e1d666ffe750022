import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BACKUP_OBJECTS, backupKey, readBackupObject, type BackupRecord } from "@soar/repository";
import { createCodecPool, extractArchive, readSeekTable, type SeekArchive } from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";
import { onTestFinished } from "vitest";

export async function readArchives(store: ObjectStore, record: BackupRecord): Promise<readonly SeekArchive[]> {
  const key = backupKey(record.label, BACKUP_OBJECTS.index);
  const frames = record.index.members.map(([storedLength, plainLength, sha256]) => ({
    storedLength,
    plainLength,
    sha256,
  }));
  const { archives } = await readSeekTable({
    name: key,
    frames,
    fetch: (offset, length) => readObject(store, key, { range: { offset, length } }),
  });
  return archives;
}

/** Reads the backup as a restore does: by its seek table, wherever the members lie. Removed when the test has ended. */
export async function extractBackup(store: ObjectStore, record: BackupRecord): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "soar-extract-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const fetch = (object: string, offset: number, length: number) =>
    readObject(store, object, { range: { offset, length } });
  const pool = createCodecPool({ workers: 2 });
  try {
    for (const archive of (await readArchives(store, record)).toSorted((a) => (a.name === "base" ? -1 : 1))) {
      const targetDir = archive.name === "base" ? directory : join(directory, "pg_tblspc", archive.name);
      mkdirSync(targetDir, { recursive: true });
      await extractArchive(archive, { targetDir, fetch, pool, parallel: 2, sync: false });
    }
  } finally {
    await pool.close();
  }
  writeFileSync(join(directory, "backup_manifest"), await readBackupObject(store, record, BACKUP_OBJECTS.manifest));
  return directory;
}
