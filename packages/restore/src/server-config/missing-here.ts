import { isAbsolute, join, normalize, relative, resolve } from "node:path";
import { statIfPresent } from "@soar/durable-files";
import { runIfPresent } from "@soar/programs";
import type { BackupRecord } from "@soar/repository";
import { foreseeChanged, type ForeseenConfig } from "./foresee-settings.ts";
import { missingNamed } from "./missing-named.ts";
import { findPreloadLibraries } from "./preload-libraries.ts";

export interface MissingHereOptions {
  readonly dataDir: string;
  readonly binDir: string;
  /** The cluster takes the place of the lost one, whose links are made again. */
  readonly inPlace: boolean;
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
  return [
    ...(await missingCertificates(backup, options)),
    ...(await missingLibraries(backup, options)),
    ...(await missingLocales(backup, options)),
    ...(await missingNamed(backup, options.config)),
    ...(await missingValues(backup, options)),
  ];
}

const CERTIFICATE_SETTINGS = ["ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_crl_file", "ssl_dh_params_file"];

async function missingCertificates(
  { settings, source, leftOut = [] }: BackupRecord,
  { dataDir, inPlace }: MissingHereOptions,
): Promise<string[]> {
  if (settings["ssl"] !== "on") return [];
  const missing: string[] = [];
  for (const setting of CERTIFICATE_SETTINGS) {
    const name = settings[setting] ?? "";
    if (name === "") continue;
    const inside = insideOf(inPlace ? [dataDir, source.dataDirectory] : [dataDir], name);
    if (inside !== undefined && !leftOut.some((path) => inside === path || inside.startsWith(`${path}/`))) continue;
    // A link in the data directory is made again where the directory takes the old one's place, and nowhere else.
    const path = inside === undefined ? resolve(dataDir, name) : join(dataDir, inside);
    if ((inside === undefined || inPlace) && (await statIfPresent(path)) !== undefined) continue;
    missing.push(
      `the server has ssl on and ${setting} = '${name}', which is in no backup and not on this host: it does not start with its own settings before it is there`,
    );
  }
  return missing;
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
async function missingValues(backup: BackupRecord, { binDir, config }: MissingHereOptions): Promise<string[]> {
  if (config === undefined) return [];
  let isUnknown = false;
  const changed = await foreseeChanged(config, backup, { binDir, onUnknownPages: () => (isUnknown = true) });
  const sentences = changed.map(
    ({ name, value, now }) =>
      `this host does not have ${name} = '${value}': the restored server is started with '${now}', in its postgresql.auto.conf`,
  );
  return isUnknown ? [...sentences, UNKNOWN_PAGES] : sentences;
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
