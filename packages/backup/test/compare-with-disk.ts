import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createFileChecksum, parseBackupManifest } from "@soar/pg-tools/manifest";
import { parseRelationPath } from "@soar/pg-tools/page-checksum";
import { BACKUP_OBJECTS, readBackupObject, type BackupRecord } from "@soar/repository";
import { expect } from "vitest";
import type { BackupWorld } from "./backup-world.ts";
import { extractBackup } from "./extract-backup.ts";

/** Files of relations that the backup has otherwise than the disk, or whose checksum in its manifest is not that of its bytes. */
export async function differencesOf(world: BackupWorld, record: BackupRecord): Promise<string[]> {
  const directory = await extractBackup(world.store, record);
  const { files } = parseBackupManifest(await readBackupObject(world.store, record, BACKUP_OBJECTS.manifest));
  const different: string[] = [];
  let relations = 0;
  for (const { path, checksum } of files) {
    const bytes = await readFile(join(directory, path));
    const sum = createFileChecksum("CRC32C");
    sum.update(bytes);
    if (sum.digest() !== checksum?.value) different.push(`${path}: the manifest says ${checksum?.value}`);
    if (parseRelationPath(path) === undefined) continue;
    relations += 1;
    if (!bytes.equals(await readFile(join(world.cluster.dataDir, path)))) different.push(path);
  }
  expect(relations).toBeGreaterThan(200);
  return different;
}
