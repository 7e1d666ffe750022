import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { type DirectoryOptions, makeDirectory, replaceFile, type WriteOptions } from "@soar/durable-files";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { formatConfigSetting } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
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
  options: CallOptions & { readonly inPlace: boolean },
): Promise<ConfigChoice> {
  const source = backup.settings["config_file"];
  if (await isFile(join(dataDir, "postgresql.conf"))) {
    if (!options.inPlace) await nameOwnPlaces(dataDir, source);
    return { configFile: undefined, settings: {} };
  }
  if (options.inPlace && source !== undefined && (await isFile(source)))
    return { configFile: source, settings: await accessFiles(backup) };
  await bringSavedConfig(await readSavedConfig(store, backup, options), backup, dataDir);
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

/** postgresql.conf last: with it, everything is there. */
async function bringSavedConfig(
  saved: ReadonlyMap<string, Buffer>,
  { settings }: BackupRecord,
  dataDir: string,
): Promise<void> {
  const source = settings["config_file"] ?? "";
  const own: Record<string, string> = { data_directory: dataDir };
  for (const setting of ACCESS_FILE_SETTINGS) {
    const content = saved.get(settings[setting] ?? "");
    if (content === undefined) continue;
    own[setting] = join(dataDir, basename(settings[setting] ?? ""));
    await replaceFile(own[setting] ?? "", content, fileIn(dataDir));
  }
  const text = withoutForeignIncludes(saved.get(source)?.toString("utf8") ?? "", dataDir);
  for (const [path, content] of saved) await bringIncluded(relative(dirname(source), path), content, dataDir);
  // The server does not start without a directory that is named, although nothing of it was saved.
  for (const [, directory = ""] of text.matchAll(/^[ \t]*include_dir\s*=?\s*'?([^'\s]+)'?/gm))
    if (!isAbsolute(directory)) await makeDirectory(join(dataDir, directory), directoryIn(dataDir));
  const block = [OWN_PLACES, ...Object.entries(own).map(([name, value]) => formatConfigSetting(name, value)), ""].join(
    "\n",
  );
  await replaceFile(join(dataDir, "postgresql.conf"), `${withoutPidFile(text).trimEnd()}\n${block}`, fileIn(dataDir));
}

/** Files that postgresql.conf includes from below its own directory. */
async function bringIncluded(path: string, content: Buffer, dataDir: string): Promise<void> {
  if (path.startsWith("..") || !path.includes("/")) return;
  await makeDirectory(dirname(join(dataDir, path)), directoryIn(dataDir));
  await replaceFile(join(dataDir, path), content, fileIn(dataDir));
}

/** The server cannot be started without them, so they are there before pg_control is, also after a crash. */
function fileIn(dataDir: string): WriteOptions & { readonly sync: "directory" } {
  return { mode: 0o600, sync: "directory", within: { base: dataDir } };
}

function directoryIn(dataDir: string): DirectoryOptions {
  return { ...fileIn(dataDir), mode: 0o700 };
}

/** Nothing of these was brought, and nothing is made outside of the data directory because a backup says so. */
export function withoutForeignIncludes(text: string, dataDir: string): string {
  return text.replaceAll(/^[ \t]*include_dir\s*=?\s*'?([^'\s]+)'?/gm, (line, directory: string) =>
    !isAbsolute(directory) && relative(dataDir, join(dataDir, directory)).startsWith("..") ? `#${line}` : line,
  );
}

/** At a fixed place, it would be that of the server beside the copy. */
export function withoutPidFile(text: string): string {
  return text.replaceAll(/^(?=[ \t]*external_pid_file\b)/gm, "#");
}
