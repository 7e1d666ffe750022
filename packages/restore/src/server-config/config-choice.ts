import { join } from "node:path";
import { lstatIfPresent, type Owner, readIfPresent, readTextIfPresent } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { type IncludeDirective, includesOf } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import { decodeName } from "@soar/seekable-tar/members";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { inDataDirectory } from "../data-directory.ts";
import { isFile } from "../is-file.ts";
import { bringConfig } from "./bring-config.ts";
import { CONF, isBrought, isDirectory, isElsewhere, linkOnTheWay } from "./config-places.ts";
import { placeBelow } from "./place-below.ts";
import { AUTO_CONF } from "./legal-files.ts";
import { hasOwnPlaces, nameOwnPlaces } from "./own-places.ts";
import { NOT_READABLE, readSavedConfig } from "./saved-config.ts";

export interface ConfigChoice {
  /** Given to the server on its command line; undefined when the data directory has a postgresql.conf of its own. */
  readonly configFile: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
  /** What was written of the saved configuration, relative to the data directory. */
  readonly brought: readonly string[];
}

export interface ChooseOptions extends CallOptions {
  readonly inPlace: boolean;
  readonly owner?: Owner | undefined;
  /** What was saved takes the place of links of the old data directory. */
  readonly withConfig?: boolean | undefined;
}

/**
 * Finds a configuration for the restored server: its own postgresql.conf; in place, the one that the source used, where it
 * lies (on Debian in /etc); else what was saved with the backup, written into the data directory, so that the copy is
 * started like any other cluster. Files that these name and that did not come with the data are brought in the same way.
 */
export async function chooseConfigFile(
  store: ObjectStore,
  backup: BackupRecord,
  dataDir: string,
  { inPlace, owner, withConfig = false, signal }: ChooseOptions,
): Promise<ConfigChoice> {
  const source = backup.settings["config_file"];
  const isWhole = !(await hasOwnConf(dataDir, backup, owner));
  const bring = async (copy: { readonly isWhole: boolean; readonly only?: string }): Promise<string[]> => {
    const saved = [...(await readSavedConfig(store, backup, { signal }))];
    const wanted = new Map(saved.filter(([path]) => copy.only === undefined || copy.only === path));
    return await bringConfig(wanted, backup, { dataDir, owner, isWhole: copy.isWhole, replacesLinks: withConfig });
  };
  if (isWhole && inPlace && source !== undefined && (await isFile(source))) {
    const only = join(backup.source.dataDirectory, AUTO_CONF);
    const brought = (await isThere(dataDir, AUTO_CONF)) ? [] : await bring({ isWhole: false, only });
    return { configFile: source, settings: await accessFiles(backup), brought };
  }
  const lacks = isWhole ? "surely" : await lacksFiles(dataDir, backup, owner);
  const brought =
    lacks === undefined
      ? []
      : await bring({ isWhole }).catch((error: unknown) => {
          // The plan has said so. Data is not given up for a file that the server may do without.
          if (lacks === "surely" || !hasErrorCode(error, ...NOT_READABLE)) throw error;
          return [];
        });
  if (!inPlace) await nameOwnPlaces(dataDir, source, owner);
  return { configFile: undefined, settings: {}, brought };
}

/**
 * The configuration of a server that was stopped, to be started again as it was: what lies there, in place. Nothing is asked of
 * a repository, nothing is written, and nothing that is missing is an error.
 */
export async function findConfig(backup: BackupRecord, dataDir: string): Promise<ConfigChoice> {
  const source = backup.settings["config_file"];
  const path = join(dataDir, CONF);
  const isOwn = isElsewhere(backup)
    ? (await lstatIfPresent(path))?.isFile() === true && hasOwnPlaces((await readTextIfPresent(path)) ?? "")
    : await isFile(path);
  if (isOwn || source === undefined || !(await isFile(source)))
    return { configFile: undefined, settings: {}, brought: [] };
  return { configFile: source, settings: await accessFiles(backup), brought: [] };
}

/** One that lies there beside the one that the source was started with is of no use. */
async function hasOwnConf(dataDir: string, backup: BackupRecord, owner: Owner | undefined): Promise<boolean> {
  if (!(await isFile(join(dataDir, CONF)))) return false;
  return !isElsewhere(backup) || hasOwnPlaces(await readOwn(dataDir, owner));
}

/** Without a look into the repository, whether files may be missing that the server will look for. */
async function lacksFiles(
  dataDir: string,
  backup: BackupRecord,
  owner: Owner | undefined,
): Promise<"surely" | "maybe" | undefined> {
  const { settings, source, leftOut = [] } = backup;
  const own = await readOwn(dataDir, owner);
  const access = ACCESS_FILE_SETTINGS.map((setting) => ({ kind: "file", target: settings[setting] ?? "" }));
  const isAccess = new Set(access.map(({ target }) => target));
  const named: NamedFile[] = [...access, ...includesOf(own, join(source.dataDirectory, CONF), "settings")];
  const looked = new Set<string>();
  let isAbsent = false;
  // It grows by what the files that came with the data name in turn.
  for (const { kind, target } of named) {
    const inside = placeBelow(source.dataDirectory, target);
    const place = inside === undefined ? target : join(dataDir, inside);
    if (place === "" || (await isDirectory(place))) continue;
    if (await isFile(place)) {
      if (inside === undefined || looked.has(target)) continue;
      looked.add(target);
      const form = isAccess.has(target) ? "access" : "settings";
      const more = includesOf(await readOwn(dataDir, owner, inside), target, form);
      if (form === "access") for (const one of more) isAccess.add(one.target);
      named.push(...more);
    } else if (!(await isBrought(target, backup, dataDir, own))) {
      if (kind !== "file-if-there" && kind !== "list") return "surely";
      isAbsent = true;
    }
  }
  return isAbsent || leftOut.length > 0 || !(await isThere(dataDir, AUTO_CONF)) ? "maybe" : undefined;
}

type NamedFile = Pick<IncludeDirective, "target"> & { readonly kind: string };

/** Empty where a link leads to it, which is the administrator's. */
async function readOwn(dataDir: string, owner: Owner | undefined, inside: string = CONF): Promise<string> {
  const path = join(dataDir, inside);
  if ((await lstatIfPresent(path))?.isFile() !== true || (await linkOnTheWay(dataDir, inside)) !== undefined) return "";
  return decodeName((await readIfPresent(path, { within: inDataDirectory(dataDir, owner) })) ?? Buffer.alloc(0));
}

async function isThere(dataDir: string, name: string): Promise<boolean> {
  return (await lstatIfPresent(join(dataDir, name))) !== undefined;
}

/** The source may have been told of these on its command line alone. */
export async function accessFiles({ settings }: BackupRecord): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of ACCESS_FILE_SETTINGS) {
    const path = settings[name];
    if (path !== undefined && (await isFile(path))) found[name] = path;
  }
  return found;
}
