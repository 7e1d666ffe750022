import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { type DirectoryOptions, makeDirectory, type Owner, replaceFile, type WriteOptions } from "@soar/durable-files";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { formatConfigSetting } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { inDataDirectory } from "../data-directory.ts";
import { nameOwnPlaces, OWN_PLACES } from "./own-places.ts";
import { readSavedConfig } from "./saved-config.ts";
import { isFile } from "../is-file.ts";

export interface ConfigChoice {
  /** Given to the server on its command line; undefined when the data directory has a postgresql.conf of its own. */
  readonly configFile: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Finds a configuration for the restored server: its own postgresql.conf; in place, the one that the source used, where it
 * lies (on Debian in /etc); else what was saved with the backup, written into the data directory, so that the copy is
 * started like any other cluster.
 */
export async function chooseConfigFile(
  store: ObjectStore,
  backup: BackupRecord,
  dataDir: string,
  options: CallOptions & { readonly inPlace: boolean; readonly owner: Owner | undefined },
): Promise<ConfigChoice> {
  const source = backup.settings["config_file"];
  if (await isFile(join(dataDir, "postgresql.conf"))) {
    if (!options.inPlace) await nameOwnPlaces(dataDir, source, options.owner);
    return { configFile: undefined, settings: {} };
  }
  if (options.inPlace && source !== undefined && (await isFile(source)))
    return { configFile: source, settings: await accessFiles(backup) };
  await bringSavedConfig(await readSavedConfig(store, backup, options), backup, { dataDir, owner: options.owner });
  return { configFile: undefined, settings: {} };
}

/** The source may have been told of these on its command line alone. */
async function accessFiles({ settings }: BackupRecord): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of ACCESS_FILE_SETTINGS) {
    const path = settings[name];
    if (path !== undefined && (await isFile(path))) found[name] = path;
  }
  return found;
}

/** The directory that gets the configuration. */
interface Copy {
  readonly dataDir: string;
  readonly owner: Owner | undefined;
}

/** Names of settings and directives are read in any case. */
const INCLUDE_DIR = /^[ \t]*include_dir\s*=?\s*'?([^'\s]+)'?/gim;

/** postgresql.conf last: with it, everything is there. */
async function bringSavedConfig(
  saved: ReadonlyMap<string, Buffer>,
  { settings }: BackupRecord,
  copy: Copy,
): Promise<void> {
  const { dataDir } = copy;
  const source = settings["config_file"] ?? "";
  const own: Record<string, string> = { data_directory: dataDir };
  for (const setting of ACCESS_FILE_SETTINGS) {
    const content = saved.get(settings[setting] ?? "");
    if (content === undefined) continue;
    own[setting] = join(dataDir, basename(settings[setting] ?? ""));
    await replaceFile(own[setting] ?? "", content, fileIn(copy));
  }
  const text = withoutForeignIncludes(saved.get(source)?.toString("utf8") ?? "", dataDir);
  for (const [path, content] of saved) await bringIncluded(relative(dirname(source), path), content, copy);
  // The server does not start without a directory that is named, although nothing of it was saved.
  for (const [, directory = ""] of text.matchAll(INCLUDE_DIR))
    if (!isAbsolute(directory)) await makeDirectory(join(dataDir, directory), directoryIn(copy));
  const block = [OWN_PLACES, ...Object.entries(own).map(([name, value]) => formatConfigSetting(name, value)), ""].join(
    "\n",
  );
  await replaceFile(join(dataDir, "postgresql.conf"), `${withoutPidFile(text).trimEnd()}\n${block}`, fileIn(copy));
}

/** Files that postgresql.conf includes from below its own directory. */
async function bringIncluded(path: string, content: Buffer, copy: Copy): Promise<void> {
  if (path.startsWith("..") || !path.includes("/")) return;
  await makeDirectory(dirname(join(copy.dataDir, path)), directoryIn(copy));
  await replaceFile(join(copy.dataDir, path), content, fileIn(copy));
}

/** The server cannot be started without them, so they are there before pg_control is, also after a crash. */
function fileIn({ dataDir, owner }: Copy): WriteOptions & { readonly sync: "directory" } {
  return { mode: 0o600, sync: "directory", owner, within: inDataDirectory(dataDir, owner) };
}

function directoryIn(copy: Copy): DirectoryOptions {
  return { ...fileIn(copy), mode: 0o700 };
}

/** Nothing of these was brought, and nothing is made outside of the data directory because a backup says so. */
export function withoutForeignIncludes(text: string, dataDir: string): string {
  return text.replaceAll(INCLUDE_DIR, (line, directory: string) =>
    !isAbsolute(directory) && relative(dataDir, join(dataDir, directory)).startsWith("..") ? `#${line}` : line,
  );
}

/** At a fixed place, it would be that of the server beside the copy. */
export function withoutPidFile(text: string): string {
  return text.replaceAll(/^(?=[ \t]*external_pid_file\b)/gm, "#");
}
