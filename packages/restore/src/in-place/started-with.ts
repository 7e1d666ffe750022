import { dirname, isAbsolute, join } from "node:path";
import { readTextIfPresent, realPathIfPresent } from "@soar/durable-files";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { parseConfigSettings } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import { isFile } from "../is-file.ts";
import { accessFiles, type ConfigChoice, findConfig } from "../server-config/config-choice.ts";
import { CONF } from "../server-config/config-places.ts";

/** Options of `postgres` that are another spelling of a setting (postgres(1)); of others nothing is known here. */
const SHORT: Readonly<Record<string, string>> = {
  B: "shared_buffers",
  N: "max_connections",
  h: "listen_addresses",
  k: "unix_socket_directories",
  p: "port",
};

/** What the last server of a data directory was started with. */
export interface StartOptions {
  /** Those of its command line, its data directory left out. */
  readonly settings: Readonly<Record<string, string>>;
  /** The directory of its postgresql.conf by `-D` or `PGDATA`: not always that of its data; undefined where that is not told. */
  readonly configDir: string | undefined;
}

/** `postmaster.opts` keeps it when the server has stopped. Undefined where there is no such file, as in one that was restored. */
export async function startedWith(dataDir: string): Promise<StartOptions | undefined> {
  const text = await readTextIfPresent(join(dataDir, "postmaster.opts"), { within: { base: dataDir } });
  return text === undefined ? undefined : parseStartOptions(text);
}

/**
 * The configuration with which a server that was stopped is started again as it was: by its command line, and by what the backup
 * tells of what that leaves open. A relative path counts from where the server was started, of which nothing is known.
 */
export async function configAsItWas(backup: BackupRecord, dataDir: string): Promise<ConfigChoice> {
  const given = await startedWith(dataDir);
  if (given === undefined) return await findConfig(backup, dataDir);
  const settings = Object.fromEntries(
    Object.entries(given.settings).filter(([name, value]) => !PLACES.includes(name) || isAbsolute(value)),
  );
  const lacks = (name: string): boolean => name in given.settings && !(name in settings);
  const found = await configBelow(backup, dataDir, {
    configFile: settings["config_file"],
    configDir: lacks("config_file") ? undefined : given.configDir,
    lacksAccess: ACCESS_FILE_SETTINGS.some(lacks),
  });
  return { ...found, settings: { ...found.settings, ...settings } };
}

interface Told {
  /** Absolute, as are all that a command line says and that count. */
  readonly configFile: string | undefined;
  readonly configDir: string | undefined;
  readonly lacksAccess: boolean;
}

async function configBelow(
  backup: BackupRecord,
  dataDir: string,
  { configFile, configDir, lacksAccess }: Told,
): Promise<ConfigChoice> {
  const access = lacksAccess ? await accessFiles(backup) : {};
  if (configFile !== undefined) return { ...NO_CONFIG, settings: access };
  if (configDir === undefined || !isAbsolute(configDir)) return await findConfig(backup, dataDir);
  if ((await realPathIfPresent(configDir)) === (await realPathIfPresent(dataDir)))
    return { ...NO_CONFIG, settings: access };
  const conf = join(configDir, CONF);
  if (!(await isFile(conf))) return await findConfig(backup, dataDir);
  const asBackedUp = backup.settings["config_file"] === conf ? await accessFiles(backup) : {};
  return { ...NO_CONFIG, configFile: conf, settings: { ...(await accessFilesBeside(conf)), ...asBackedUp, ...access } };
}

const NO_CONFIG = { configFile: undefined, brought: [] } as const;
const PLACES: readonly string[] = ["config_file", ...ACCESS_FILE_SETTINGS];

/** Where a server looks for them that neither its command line nor its postgresql.conf tells of others. */
async function accessFilesBeside(conf: string): Promise<Record<string, string>> {
  const named = new Set(parseConfigSettings((await readTextIfPresent(conf)) ?? "").map(({ name }) => name));
  const found: Record<string, string> = {};
  for (const name of ACCESS_FILE_SETTINGS) {
    const path = join(dirname(conf), `pg_${name.replace("_file", "")}.conf`);
    if (!named.has(name) && (await isFile(path))) found[name] = path;
  }
  return found;
}

/** Each word stands in double quotes, and nothing in it is escaped (`CreateOptsFile`, postmaster.c). */
export function parseStartOptions(text: string): StartOptions {
  const words = Array.from(text.matchAll(/ "(.*?)"(?= "|\s*$)/gs), ([, word = ""]) => word);
  const settings: Record<string, string> = {};
  let configDir: string | undefined;
  const take = (assignment: string): void => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(assignment) ?? [];
    if (name !== undefined && value !== undefined) settings[name.replaceAll("-", "_")] = value;
  };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const [, letter = "", joined = ""] = /^-([A-Za-z])(.*)$/s.exec(word) ?? [];
    const hasValue = letter === "c" || letter === "D" || letter in SHORT;
    const value = joined === "" && hasValue ? (words[(at += 1)] ?? "") : joined;
    if (word.startsWith("--")) take(word.slice(2));
    else if (letter === "c") take(value);
    else if (letter === "D") configDir = value;
    else if (letter === "i") settings["listen_addresses"] = "*";
    else if (letter === "l") settings["ssl"] = "on";
    else if (SHORT[letter] !== undefined) settings[SHORT[letter]] = value;
  }
  delete settings["data_directory"];
  return { settings, configDir };
}
