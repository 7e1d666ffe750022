import { isAbsolute, join, normalize, relative, resolve } from "node:path";
import { isRoot, ownerOf, statIfPresent } from "@soar/durable-files";
import { runIfPresent } from "@soar/programs";
import type { BackupRecord } from "@soar/repository";
import { isLeftOut } from "./config-places.ts";
import { askPlaces, type ForeseenConfig, foreseeSettings, PLACES_OF_SSL } from "./foresee-settings.ts";
import { missingNamed } from "./missing-named.ts";
import { findPreloadLibraries } from "./preload-libraries.ts";
import type { ChangedSetting } from "./refused-settings.ts";

export interface MissingHereOptions {
  readonly dataDir: string;
  readonly binDir: string;
  /** The cluster takes the place of the lost one, whose links are made again. */
  readonly inPlace: boolean;
  /** The data is there, with a configuration that may have been changed since: nothing of the backup's counts any more. */
  readonly isThere: boolean;
  /** Undefined where nothing is known of it. */
  readonly config: ForeseenConfig | undefined;
  /** The whole environment of the system's own programs. */
  readonly systemEnv: Readonly<Record<string, string>>;
}

/**
 * What the restored server will look for and not find on this host, one sentence each. Nothing of it is in the backup, and
 * nothing of it keeps the data from coming back; but who hears of it only when the server does not start hears it late.
 * Records of versions before tell less.
 */
export async function findMissingHere(backup: BackupRecord, options: MissingHereOptions): Promise<string[]> {
  const { config } = options;
  let isUnknown = false;
  const foreseen =
    config && (await foreseeSettings(config, backup, { ...options, onUnknownPages: () => (isUnknown = true) }));
  const isKnown = config?.configFile !== undefined || config?.saved.has(backup.settings["config_file"] ?? "") === true;
  const settings = options.isThere ? await settingsThere(options) : isKnown ? foreseen?.settings : undefined;
  const holding = { ...backup, settings: { ...backup.settings, ...settings } };
  return [
    ...(await missingCertificates(holding, options)),
    ...(await missingDirectories(holding, options)),
    ...(await missingLibraries(holding, options)),
    ...(await missingLocales(backup, options)),
    ...(await missingNamed(backup, config)),
    ...(foreseen?.changed ?? []).map(describeMissing),
    ...(isUnknown ? [UNKNOWN_PAGES] : []),
  ];
}

async function settingsThere({ dataDir, binDir, config }: MissingHereOptions): Promise<Record<string, string>> {
  const owner = isRoot() ? await ownerOf(dataDir) : undefined;
  return await askPlaces({ binDir, directory: dataDir, configFile: config?.configFile, owner });
}

async function missingCertificates(backup: BackupRecord, options: MissingHereOptions): Promise<string[]> {
  if (backup.settings["ssl"] !== "on") return [];
  const missing: string[] = [];
  for (const setting of PLACES_OF_SSL) {
    const name = backup.settings[setting] ?? "";
    if (name === "" || !(await isLacking(name, backup, options))) continue;
    missing.push(
      `the server has ssl on and ${setting} = '${name}', which is in no backup and not on this host: it does not start with its own settings before it is there`,
    );
  }
  return missing;
}

/** A server makes a directory for its sockets nowhere, and one for its log only where its user may. */
async function missingDirectories(backup: BackupRecord, options: MissingHereOptions): Promise<string[]> {
  const { settings } = backup;
  const missing: string[] = [];
  const log = settings["logging_collector"] === "on" ? settings["log_directory"] : undefined;
  // A copy gets one of its own.
  const hasForeignLog = log !== undefined && options.inPlace && (isAbsolute(log) || isLeftOut(normalize(log), backup));
  if (hasForeignLog && (await isLacking(log, backup, options)))
    missing.push(
      `the server writes its log to log_directory = '${log}', which is not on this host: it does not start with its own settings before it is there, unless its user may make it`,
    );
  for (const [, quoted, plain = quoted] of (settings["unix_socket_directories"] ?? "").matchAll(DIRECTORIES)) {
    const directory = plain?.trim() ?? "";
    // The abstract ones lie in no file system.
    if (directory === "" || directory.startsWith("@") || !(await isLacking(directory, backup, options))) continue;
    missing.push(
      `the server has its sockets in unix_socket_directories = '${directory}', which is not on this host: it does not start with its own settings before it is there`,
    );
  }
  return missing;
}

/** Of a list: in double quotes, or without (`SplitDirectoriesString`, varlena.c). */
const DIRECTORIES = /"([^"]*)"|([^,"]+)/g;

/** Whether the restored server will not find what a setting names. */
async function isLacking(
  name: string,
  { source, leftOut }: BackupRecord,
  { dataDir, inPlace, isThere }: MissingHereOptions,
): Promise<boolean> {
  const inside = insideOf(inPlace ? [dataDir, source.dataDirectory] : [dataDir], name);
  if (inside !== undefined && !isLeftOut(inside, { leftOut })) return false;
  // A link in the data directory is made again where the directory takes the old one's place, and nowhere else.
  const path = inside === undefined ? resolve(dataDir, name) : join(dataDir, inside);
  return !(inside === undefined || inPlace || isThere) || (await statIfPresent(path)) === undefined;
}

/** Where a file lies in the data directory that is restored, which is known by these paths; undefined for one that lies elsewhere. */
function insideOf(dataDirs: readonly string[], name: string): string | undefined {
  const ways = isAbsolute(name) ? dataDirs.map((directory) => relative(directory, name)) : [normalize(name)];
  return ways.find((way) => way !== ".." && !way.startsWith("../") && !isAbsolute(way));
}

async function missingLibraries({ settings }: BackupRecord, { binDir }: MissingHereOptions): Promise<string[]> {
  const { missing } = await findPreloadLibraries(settings, binDir);
  return missing.map(
    (name) =>
      `the server preloads '${name}', which is not on this host: it does not start before the package is installed, or the name taken out of shared_preload_libraries`,
  );
}

/** Of every system, by whatever name they are listed. */
const ALWAYS_THERE = ["", "C", "POSIX"];

async function missingLocales({ databases }: BackupRecord, { systemEnv }: MissingHereOptions): Promise<string[]> {
  const known = await knownLocales(systemEnv);
  if (known === undefined) return [];
  const isMissing = (name: string | undefined): name is string =>
    name !== undefined && !ALWAYS_THERE.includes(name) && !known.has(plainName(name));
  return databases.flatMap(({ name, collate, ctype }) =>
    [...new Set([collate, ctype])]
      .filter(isMissing)
      .map(
        (locale) => `this host does not have the locale '${locale}': nobody can enter database '${name}' before it has`,
      ),
  );
}

/** Time zones, locales, and others of which a server of another host knows less: it would not even recover. */
function describeMissing({ name, value, now }: ChangedSetting): string {
  return `this host does not have ${name} = '${value}': the restored server is started with '${now}', in its postgresql.auto.conf`;
}

const UNKNOWN_PAGES =
  "whether this host has enough pages for huge_pages = 'on' is not known before the data is there: if not, the restored server is started with 'try', in its postgresql.auto.conf";

/** Undefined where the system does not say, as one without glibc. */
async function knownLocales(env: Readonly<Record<string, string>>): Promise<ReadonlySet<string> | undefined> {
  const listed = await runIfPresent("locale", ["-a"], { env });
  if (listed?.status !== 0) return undefined;
  return new Set(listed.stdout.split("\n").map(plainName));
}

/** `en_US.UTF-8` is listed as `en_US.utf8`: glibc compares codesets by their letters and digits (_nl_normalize_codeset). */
function plainName(name: string): string {
  const [, place = name, codeset, modifier = ""] = /^([^.@]*)(?:\.([^@]*))?(@.*)?$/.exec(name) ?? [];
  return codeset === undefined ? name : `${place}.${codeset.toLowerCase().replaceAll(/[^a-z0-9]/g, "")}${modifier}`;
}
