import { dirname, join, relative } from "node:path";
import {
  lstatIfPresent,
  makeDirectory,
  type Owner,
  readIfPresent,
  removeFile,
  replaceFile,
  type WriteOptions,
} from "@soar/durable-files";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { type ConfigForm, redirectIncludes } from "@soar/pg-tools/recovery-config";
import { decodeName, encodeName } from "@soar/seekable-tar/members";
import { inDataDirectory } from "../data-directory.ts";
import { CONF, type ConfigSource, isBrought, linkOnTheWay, missingOf, placeInCopy } from "./config-places.ts";
import { placeBelow } from "./place-below.ts";
import { findTargets } from "./include-targets.ts";
import { formsOf } from "./legal-files.ts";
import { addOwnPlaces, ownPlaces, readConf, withoutForeignIncludes, withoutPidFile } from "./own-places.ts";

/** The directory that gets the configuration. */
export interface Copy {
  readonly dataDir: string;
  readonly owner: Owner | undefined;
  /** Its postgresql.conf did not come with the data. */
  readonly isWhole: boolean;
  /** What was saved takes the place of links of the old data directory. */
  readonly replacesLinks: boolean;
}

interface Bringing {
  readonly copy: Copy;
  readonly backup: ConfigSource;
  /** Of the files that are brought, by their paths on the source. */
  readonly places: ReadonlyMap<string, string>;
  readonly forms: ReadonlyMap<string, ConfigForm>;
}

/**
 * Writes those saved files into a restored data directory that its server will look for and not find: what links led to, which
 * are in no base backup, and what lay elsewhere on another host. What includes them is changed where it has to be.
 * postgresql.conf comes last: with it, everything is there. Repeatable. Resolves to what was written, by its place in the
 * data directory.
 */
export async function bringConfig(
  saved: ReadonlyMap<string, Buffer>,
  backup: ConfigSource,
  copy: Copy,
): Promise<string[]> {
  const { dataDir, owner, isWhole } = copy;
  const own = isWhole ? undefined : await readConf(dataDir, owner);
  const places = new Map<string, string>();
  for (const path of await missingOf(saved, backup, copy))
    if (own === undefined || !(await isBrought(path, backup, dataDir, own)))
      places.set(path, placeInCopy(path, backup, dataDir));
  const bringing = { copy, backup, places, forms: formsOf(saved, backup) };
  const config = backup.settings["config_file"] ?? "";
  for (const [path, place] of places)
    if (path !== config) await write(copy, place, await redirected(bringing, path, saved.get(path) ?? EMPTY));
  for (const path of saved.keys()) if (path !== config) await redirectOwn(bringing, path);
  const access = accessPlaces(bringing);
  if (isWhole || places.has(config)) {
    const text = decodeName(await redirected(bringing, config, saved.get(config) ?? EMPTY));
    const plain = withoutPidFile(withoutForeignIncludes(text, dataDir)).trimEnd();
    await write(
      copy,
      join(dataDir, CONF),
      encodeName(`${plain}\n${ownPlaces({ data_directory: dataDir, ...access })}`),
    );
  } else {
    await redirectOwn(bringing, config);
    await addOwnPlaces(dataDir, access, owner);
  }
  return [...places.values()].map((place) => relative(dataDir, place));
}

const EMPTY = Buffer.alloc(0);

/** Access files that the server would not find by what its postgresql.conf says of them. */
function accessPlaces({ places, backup, copy }: Bringing): Record<string, string> {
  const found: Record<string, string> = {};
  for (const setting of ACCESS_FILE_SETTINGS) {
    const path = backup.settings[setting] ?? "";
    const place = places.get(path);
    if (place !== undefined && (copy.isWhole || placeBelow(backup.source.dataDirectory, path) === undefined))
      found[setting] = place;
  }
  return found;
}

/** The content of a file of the source, for its place in the copy; directories that it includes are there then. */
async function redirected({ copy, backup, places, forms }: Bringing, path: string, content: Buffer): Promise<Buffer> {
  const text = decodeName(content);
  const form = forms.get(path) ?? "settings";
  const targets = await findTargets(text, path, { ...copy, backup, places, form });
  for (const directory of targets.directories) {
    await removeLinks(copy, directory);
    await makeDirectory(directory, { ...fileIn(copy), mode: 0o700 });
  }
  const other = redirectIncludes(text, path, form, ({ kind, target }) => targets.others.get(`${kind} ${target}`));
  return other === text ? content : encodeName(other);
}

/** A file that came with the data may include others, which lie in another place now. */
async function redirectOwn(bringing: Bringing, path: string): Promise<void> {
  const { backup, copy, places } = bringing;
  const inside = placeBelow(backup.source.dataDirectory, path);
  if (inside === undefined || places.has(path)) return;
  const place = join(copy.dataDir, inside);
  // Where links lead is the administrator's.
  if ((await linkOnTheWay(copy.dataDir, inside)) !== undefined || !((await lstatIfPresent(place))?.isFile() ?? false))
    return;
  const { within } = fileIn(copy);
  const content = (await readIfPresent(place, { within })) ?? EMPTY;
  const other = await redirected(bringing, path, content);
  if (other !== content) await replaceFile(place, other, { ...fileIn(copy), keepMode: true });
}

async function write(copy: Copy, place: string, content: Buffer): Promise<void> {
  await removeLinks(copy, dirname(place));
  await makeDirectory(dirname(place), { ...fileIn(copy), mode: 0o700 });
  await replaceFile(place, content, fileIn(copy));
}

/** On the way to a directory: carried over, they lead nowhere, or to what is not wanted. */
async function removeLinks({ dataDir, owner }: Copy, directory: string): Promise<void> {
  const inside = placeBelow(dataDir, directory);
  const link = inside === undefined ? undefined : await linkOnTheWay(dataDir, inside);
  if (link !== undefined) await removeFile(link.path, { sync: "directory", within: inDataDirectory(dataDir, owner) });
}

/** The server cannot be started without them, so they are there before pg_control is, also after a crash. */
function fileIn({ dataDir, owner }: Copy): WriteOptions & { readonly sync: "directory" } {
  return { mode: 0o600, sync: "directory", owner, within: inDataDirectory(dataDir, owner) };
}
