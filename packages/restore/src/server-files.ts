import { mkdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { BACKUP_OBJECTS, readBackupObject, type BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { Parser } from "tar";
import { RESTORE_STATE_DIRECTORY } from "./data-directory.ts";
import { writeDurably } from "./write-durably.ts";

export interface ConfigChoice {
  /** Given to the server on its command line; undefined when the data directory has a postgresql.conf of its own. */
  readonly configFile: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Finds a configuration for the restored server: its own postgresql.conf; in place, the one that the source used, where it
 * lies (on Debian in /etc); else a copy of what was saved with the backup, kept in the data directory.
 */
export async function chooseConfigFile(store: ObjectStore, backup: BackupRecord, dataDir: string, options: CallOptions & { readonly inPlace: boolean }): Promise<ConfigChoice> {
  if (await isFile(join(dataDir, "postgresql.conf"))) return { configFile: undefined, settings: {} };
  const source = backup.settings["config_file"];
  if (options.inPlace && source !== undefined && (await isFile(source))) return { configFile: source, settings: await accessFiles(backup) };
  const directory = join(dataDir, RESTORE_STATE_DIRECTORY, "config");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const saved = await readSavedConfig(store, backup, options);
  const place = async (setting: string): Promise<string | undefined> => {
    const path = backup.settings[setting];
    const content = path === undefined ? undefined : saved.get(path);
    if (path === undefined || content === undefined) return undefined;
    const copy = join(directory, basename(path));
    await writeDurably(copy, [content]);
    return copy;
  };
  const [configFile, hbaFile, identFile] = [await place("config_file"), await place("hba_file"), await place("ident_file")];
  return {
    configFile,
    settings: { data_directory: dataDir, ...(hbaFile === undefined ? {} : { hba_file: hbaFile }), ...(identFile === undefined ? {} : { ident_file: identFile }) },
  };
}

/** The source may have been told of these on its command line alone. */
async function accessFiles({ settings }: BackupRecord): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of ["hba_file", "ident_file"]) {
    const path = settings[name];
    if (path !== undefined && (await isFile(path))) found[name] = path;
  }
  return found;
}

/** The files of `server-config.tar.gz` by their absolute path on the source. */
async function readSavedConfig(store: ObjectStore, backup: BackupRecord, options: CallOptions): Promise<Map<string, Buffer>> {
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

/** Follows links; false when there is nothing. */
export async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return found?.isFile() ?? false;
}
