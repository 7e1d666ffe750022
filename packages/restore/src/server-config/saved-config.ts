import { gunzipSync } from "node:zlib";
import { BACKUP_OBJECTS, readBackupObject, type BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { Parser } from "tar";

/** The files of `server-config.tar.gz` by their absolute path on the source. */
export async function readSavedConfig(
  store: ObjectStore,
  backup: BackupRecord,
  options: CallOptions,
): Promise<Map<string, Buffer>> {
  const packed = await readBackupObject(store, backup, BACKUP_OBJECTS.serverConfig, options);
  const files = new Map<string, Buffer>();
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({ strict: true });
    parser.on("entry", (entry) => {
      const chunks: Buffer[] = [];
      entry.on("data", (chunk: Buffer) => chunks.push(Buffer.from(chunk)));
      entry.on("end", () => files.set(`/${entry.path}`, Buffer.concat(chunks)));
    });
    parser.on("end", resolve);
    parser.on("error", reject);
    parser.end(gunzipSync(packed));
  });
  return files;
}
