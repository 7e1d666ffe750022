import { basename, dirname, join } from "node:path";
import { lstatIfPresent, statIfPresent } from "@soar/durable-files";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { includesOf, parseConfigSettings } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import { decodeName } from "@soar/seekable-tar/members";
import { isOutsideLink } from "../fetch/delta/outside-links.ts";
import { isFile } from "../is-file.ts";
import { placeBelow } from "./place-below.ts";
import { formsOf } from "./legal-files.ts";
import { hasOwnPlaces } from "./own-places.ts";

export type ConfigSource = Pick<BackupRecord, "settings" | "source" | "leftOut">;

export const CONF = "postgresql.conf";
/** Of a restored data directory, for files that have no place of their own there. */
const BROUGHT = "soar-configuration";

/** Where a file of the source's configuration, or a directory that it includes, lies in a restored data directory. */
export function placeInCopy(path: string, { settings, source }: ConfigSource, dataDir: string): string {
  const config = settings["config_file"] ?? "";
  if (path === config) return join(dataDir, CONF);
  const inside = placeBelow(source.dataDirectory, path);
  if (inside !== undefined) return join(dataDir, inside);
  if (ACCESS_FILE_SETTINGS.some((setting) => settings[setting] === path)) return join(dataDir, basename(path));
  // What a configuration includes from beside itself is found there again.
  const beside = placeBelow(dirname(config), path);
  const isFree = beside !== undefined && beside !== CONF && isOutsideLink(beside);
  return isFree ? join(dataDir, beside) : join(dataDir, BROUGHT, path);
}

/** Whether the source had its postgresql.conf anywhere but in the data directory. */
export function isElsewhere({ settings, source }: ConfigSource): boolean {
  const config = settings["config_file"];
  return config !== undefined && config !== join(source.dataDirectory, CONF);
}

/** Whether no base backup holds a path of the data directory, because it is a link or lies behind one. */
export function isLeftOut(inside: string, { leftOut = [] }: Pick<ConfigSource, "leftOut">): boolean {
  return leftOut.some((path) => inside === path || inside.startsWith(`${path}/`));
}

/** The first link on the way to a path below a directory, with whether it leads to anything; undefined where there is none. */
export async function linkOnTheWay(
  directory: string,
  below: string,
): Promise<{ readonly path: string; readonly leads: boolean } | undefined> {
  const steps = below.split("/");
  for (let count = 1; count <= steps.length; count += 1) {
    const path = join(directory, ...steps.slice(0, count));
    const found = await lstatIfPresent(path);
    if (found === undefined) return undefined;
    if (found.isSymbolicLink()) return { path, leads: (await statIfPresent(path)) !== undefined };
  }
  return undefined;
}

export interface Presence {
  readonly dataDir: string;
  /** All that was saved comes along, whatever this host has: the source's postgresql.conf does. */
  readonly isWhole: boolean;
  /** Links of the data directory count for nothing. */
  readonly replacesLinks: boolean;
}

/** Of saved files those that the restored server will look for and not find without our help. */
export async function missingOf(
  saved: ReadonlyMap<string, Buffer>,
  backup: ConfigSource,
  { dataDir, isWhole, replacesLinks }: Presence,
): Promise<string[]> {
  const forms = formsOf(saved, backup);
  const included = new Set(
    [...saved].flatMap(([path, content]) =>
      includesOf(decodeName(content), path, forms.get(path) ?? "settings").flatMap(({ kind, target }) =>
        kind === "directory" ? [target] : [],
      ),
    ),
  );
  const isHere = async (path: string): Promise<boolean> => {
    const inside = placeBelow(backup.source.dataDirectory, path);
    if (inside === undefined)
      return !isWhole && ((await isFile(path)) || (included.has(dirname(path)) && (await isDirectory(dirname(path)))));
    const link = await linkOnTheWay(dataDir, inside);
    if (link !== undefined) return link.leads && !(replacesLinks && isLeftOut(inside, backup));
    return await isFile(join(dataDir, inside));
  };
  const missing: string[] = [];
  for (const path of saved.keys()) if (!(await isHere(path))) missing.push(path);
  return missing;
}

/**
 * Whether a saved file that lay outside of the source's data directory was brought into this one by an earlier run: it is the
 * copy's own since then, and whoever edits it there keeps what they wrote.
 *
 * @param own the text of the copy's postgresql.conf
 */
export async function isBrought(path: string, backup: ConfigSource, dataDir: string, own: string): Promise<boolean> {
  if (placeBelow(backup.source.dataDirectory, path) !== undefined) return false;
  const place = placeInCopy(path, backup, dataDir);
  if (path === backup.settings["config_file"]) return hasOwnPlaces(own);
  const setting = ACCESS_FILE_SETTINGS.find((name) => backup.settings[name] === path);
  if (setting === undefined) return await isFile(place);
  // One of this name that came with the data is not used by a server that was told of another.
  if (!hasOwnPlaces(own)) return false;
  const named = parseConfigSettings(own).findLast(({ name }) => name === setting)?.value;
  if (named === undefined) return isElsewhere(backup) && (await isFile(place));
  return named === place ? await isFile(place) : named !== path;
}

export async function isDirectory(path: string): Promise<boolean> {
  return (await statIfPresent(path))?.isDirectory() ?? false;
}
