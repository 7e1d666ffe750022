import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { lstatIfPresent, type Owner, readIfPresent, replaceFile } from "@soar/durable-files";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { formatConfigSetting, parseConfigSettings } from "@soar/pg-tools/recovery-config";
import { decodeName, encodeName } from "@soar/seekable-tar/members";
import { inDataDirectory } from "../data-directory.ts";
import { isFile } from "../is-file.ts";
import { AUTO_CONF } from "./legal-files.ts";
import { placeBelow } from "./place-below.ts";

/** Above the settings that are the copy's own. */
const OWN_PLACES = "# soar: where this copy differs from the server that was backed up";

/** Whether a postgresql.conf was brought into a data directory, or changed there, by a restore. */
export function hasOwnPlaces(text: string): boolean {
  return text.includes(OWN_PLACES);
}

/** The block at the end of a postgresql.conf. */
export function ownPlaces(settings: Readonly<Record<string, string>>): string {
  const lines = Object.entries(settings).map(([name, value]) => formatConfigSetting(name, value));
  return [OWN_PLACES, ...lines, ""].join("\n");
}

/**
 * A postgresql.conf that came with the data may name the directory of its source, which wins over the one that the server is
 * started with: a start of the copy would be one of the source. It may name the source's access rules there too, and, wherever
 * they lie, the file for its process id and the directory of its log, into which the copy would write. What ALTER SYSTEM said of
 * such places becomes a comment. Repeatable.
 *
 * @param source where the file lay on the server that was backed up
 */
export async function nameOwnPlaces(dataDir: string, source: string | undefined, owner?: Owner): Promise<void> {
  const text = await readConf(dataDir, owner);
  const named = new Map(parseConfigSettings(text).map(({ name, value }) => [name, value]));
  const own: Record<string, string> = {};
  // What is included may name them, too.
  const isOpen = /^\s*include/im.test(text);
  if (isOpen || named.has("data_directory")) own["data_directory"] = dataDir;
  // It is written and removed by every server that names it.
  if (isOpen || named.has("external_pid_file")) own["external_pid_file"] = join(dataDir, "server.pid");
  const log = named.get("log_directory");
  if (isOpen || leadsOut("log_directory", log, dataDir))
    own["log_directory"] = log === undefined || leadsOut("log_directory", log, dataDir) ? "log" : log;
  for (const setting of source === undefined ? [] : ACCESS_FILE_SETTINGS) {
    const moved = ownFile(named.get(setting), dirname(source ?? ""), dataDir);
    if (moved !== undefined && (await isFile(moved))) own[setting] = moved;
  }
  await addOwnPlaces(dataDir, own, owner);
  await closeAutoConf(dataDir, owner);
}

/** Whether a setting names a place outside of a data directory that the server writes to. */
function leadsOut(name: string, value: string | undefined, dataDir: string): boolean {
  if (value === undefined || !["log_directory", "external_pid_file"].includes(name)) return false;
  return placeBelow(dataDir, resolve(dataDir, value)) === undefined;
}

/** What ALTER SYSTEM wrote counts more than any postgresql.conf. */
async function closeAutoConf(dataDir: string, owner: Owner | undefined): Promise<void> {
  const text = await readConf(dataDir, owner, AUTO_CONF);
  const foreign = new Set(
    parseConfigSettings(text).flatMap(({ name, value, line }) => (leadsOut(name, value, dataDir) ? [line] : [])),
  );
  if (foreign.size === 0) return;
  const content = text.split("\n").map((line, at) => (foreign.has(at + 1) ? `#${line}` : line));
  await replaceFile(join(dataDir, AUTO_CONF), encodeName(content.join("\n")), {
    mode: 0o600,
    keepMode: true,
    sync: "directory",
    within: inDataDirectory(dataDir, owner),
  });
}

/** Gives settings of places to a postgresql.conf that is an ordinary file; those that it has already are left out. */
export async function addOwnPlaces(
  dataDir: string,
  settings: Readonly<Record<string, string>>,
  owner: Owner | undefined,
): Promise<void> {
  const path = join(dataDir, "postgresql.conf");
  if (Object.keys(settings).length === 0 || (await lstatIfPresent(path))?.isFile() !== true) return;
  const text = await readConf(dataDir, owner);
  const named = new Map(parseConfigSettings(text).map(({ name, value }) => [name, value]));
  const own = Object.entries(settings).filter(([name, value]) => named.get(name) !== value);
  if (own.length === 0) return;
  const content = encodeName(`${text.trimEnd()}\n${ownPlaces(Object.fromEntries(own))}`);
  const within = inDataDirectory(dataDir, owner);
  await replaceFile(path, content, { mode: 0o600, keepMode: true, sync: "directory", within });
}

/** The postgresql.conf of a data directory, or another file there, in any encoding; empty where a link leads to it, which is the administrator's. */
export async function readConf(
  dataDir: string,
  owner: Owner | undefined,
  name: string = "postgresql.conf",
): Promise<string> {
  const path = join(dataDir, name);
  if ((await lstatIfPresent(path))?.isFile() !== true) return "";
  return decodeName((await readIfPresent(path, { within: inDataDirectory(dataDir, owner) })) ?? Buffer.alloc(0));
}

/** The copy's own of a file that is named in the source's data directory. */
function ownFile(named: string | undefined, sourceDir: string, dataDir: string): string | undefined {
  if (named?.startsWith(`${sourceDir}/`) !== true || sourceDir === dataDir) return undefined;
  return join(dataDir, named.slice(sourceDir.length));
}

/** Names of settings and directives are read in any case. */
const INCLUDE_DIR = /^[ \t]*include_dir\s*=?\s*'?([^'\s]+)'?/gim;

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
