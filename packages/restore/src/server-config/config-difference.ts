import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname, isAbsolute, relative } from "node:path";
import {
  lstatIfPresent,
  makeDirectory,
  moveEntry,
  type Owner,
  ownerOf,
  readIfPresent,
  readLinkIfPresent,
  replaceFile,
} from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { includesOf } from "@soar/pg-tools/recovery-config";
import { quoteForShell } from "@soar/programs";
import { BACKUP_OBJECTS, type BackupRecord } from "@soar/repository";
import { decodeName } from "@soar/seekable-tar/members";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { nearestExisting } from "../data-directory.ts";
import { keptPrefix } from "../status/kept-record.ts";
import { isDirectory, isElsewhere } from "./config-places.ts";
import { formsOf } from "./legal-files.ts";
import { placeBelow } from "./place-below.ts";
import { readSavedConfig } from "./saved-config.ts";

/** A configuration file outside of the data directory that is not as it was when the backup was taken. */
export interface ConfigDifference {
  readonly path: string;
  /** Undefined when there is none. */
  readonly present: Buffer | undefined;
  readonly saved: Buffer;
  /** It says who may log in. */
  readonly isAccess: boolean;
}

/** What `--with-config` does outside of the data directory. */
export interface ConfigComparison {
  /** What it puts back, or ends by: see `requireConfigPlaces`. */
  readonly differences: readonly ConfigDifference[];
  /** What it leaves out because the server's user may not write there, one sentence each, with how it gets there. */
  readonly leftOut: readonly string[];
}

export interface ConfigPlaces {
  /** Who runs the server, where this is root. */
  readonly owner?: Owner | undefined;
  readonly systemEnv: Readonly<Record<string, string>>;
}

/**
 * What `--with-config` would change: files that were saved with the backup and lie outside of the data directory, as on
 * Debian. Those inside of it come with the backup itself. A directory of somebody else gets nothing: what the server starts without
 * is left out, and nobody looks at what lies there.
 */
export async function compareServerConfig(
  store: ObjectStore,
  backup: BackupRecord,
  options: CallOptions & ConfigPlaces,
): Promise<ConfigComparison> {
  const differences: ConfigDifference[] = [];
  const leftOut: string[] = [];
  const files = await readSavedConfig(store, backup, options);
  const forms = formsOf(files, backup);
  for (const [path, saved] of files) {
    if (placeBelow(backup.source.dataDirectory, path) !== undefined) continue;
    const present = await readPresent(path);
    if (present?.equals(saved) === true) continue;
    const foreign = await foreignPlace(path, options);
    const use = foreign === undefined ? "put back" : await useOf(path, present, { files, backup });
    if (use === "brought") continue;
    if (foreign === undefined || use === "needed")
      differences.push({ path, present, saved, isAccess: forms.get(path) === "access" });
    else leftOut.push(leftOutText({ path, use, backup, foreign }));
  }
  return { differences, leftOut };
}

/** What becomes of a file that cannot be put back: `brought` into the data directory, or `needed`, or what the server does without. */
async function useOf(
  path: string,
  present: Buffer | undefined,
  { files, backup }: { readonly files: ReadonlyMap<string, Buffer>; readonly backup: BackupRecord },
): Promise<string> {
  if (present !== undefined) return "the server uses what is there";
  const kinds = new Set<string>();
  for (const [by, form] of formsOf(files, backup))
    for (const { kind, target } of includesOf(decodeName(files.get(by) ?? Buffer.alloc(0)), by, form))
      if (target === (kind === "directory" ? dirname(path) : path)) kinds.add(kind);
  const isRead = kinds.has("directory") && (await isDirectory(dirname(path)));
  // What names it there finds it in the data directory: see `bringConfig`.
  if (!isElsewhere(backup) && !isRead) return "brought";
  if (kinds.has("file") || (kinds.has("directory") && !isRead) || Object.values(backup.settings).includes(path))
    return "needed";
  return kinds.has("list")
    ? "its rule lets nobody in, or the server does not start, before it is there"
    : "the server starts without it";
}

/** What a link leads to is not the server's configuration to anybody but the administrator who made it, and is not shown. */
async function readPresent(path: string): Promise<Buffer | undefined> {
  const target = await readLinkIfPresent(path);
  return target === undefined ? await readIfPresent(path) : Buffer.from(`a link to ${target}\n`);
}

/** Where configuration of the server may not be written. */
interface ForeignPlace {
  /** What is wrong with it. */
  readonly fact: string;
  /** Makes a directory where there is none; nobody is told to give away one that is there. */
  readonly command: string | undefined;
}

/** Undefined for a directory of the server's user, and for one below that of Debian's clusters. */
async function foreignPlace(path: string, { owner, systemEnv }: ConfigPlaces): Promise<ForeignPlace | undefined> {
  const directory = await nearestExisting(dirname(path));
  const { uid } = await ownerOf(directory);
  const own = owner ?? { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  if (owner === undefined ? await isWritable(directory) : uid === own.uid || (uid === 0 && isDebians(path, systemEnv)))
    return undefined;
  const [named, user, group] = [quoteForShell(dirname(path)), own.uid, own.gid];
  return {
    fact: `'${directory}' belongs to user ${uid} and not to the server's, ${user}`,
    command: directory === dirname(path) ? undefined : `install -d -o ${user} -g ${group} ${named}`,
  };
}

async function isWritable(directory: string): Promise<boolean> {
  return await access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
}

interface LeftOut {
  readonly path: string;
  readonly use: string;
  readonly backup: BackupRecord;
  readonly foreign: ForeignPlace;
}

function leftOutText({ path, use, backup, foreign: { fact, command } }: LeftOut): string {
  const way = command === undefined ? "" : `, or run: ${command} and give the same command`;
  return `'${path}' is not put back, because ${fact}: ${use}; put it there as the administrator, from '${BACKUP_OBJECTS.serverConfig}' of backup '${backup.label}'${way}`;
}

/**
 * Rejects with `FILE_UNWRITABLE` unless they lie where configuration of this server may: in directories of its user, or
 * below that of Debian's clusters. Where they lie says the repository, which may not have root write anywhere else.
 */
export async function requireConfigPlaces(
  differences: readonly ConfigDifference[],
  places: ConfigPlaces,
): Promise<void> {
  for (const { path } of differences) {
    const foreign = await foreignPlace(path, places);
    if (foreign === undefined) continue;
    const { fact, command } = foreign;
    const way = command === undefined ? "put the file there yourself" : `run: ${command}`;
    throw new SoarError("FILE_UNWRITABLE", `unable to put '${path}' back: ${fact}`, {
      hint: `The server does not start without it. If it belongs there, ${way}. Else leave --with-config out. Nothing was changed.`,
    });
  }
}

/** Where postgresql-common keeps the configuration of all clusters; the variable is its own (PgCommon.pm). */
function isDebians(path: string, env: Readonly<Record<string, string>>): boolean {
  const way = relative(env["PG_CLUSTER_CONF_ROOT"] ?? "/etc/postgresql", path);
  return !way.startsWith("..") && !isAbsolute(way);
}

/** Puts them back, for the server's user. What was there is kept under another name. Rejects as `requireConfigPlaces` does. */
export async function putServerConfig(
  differences: readonly ConfigDifference[],
  { now, ...places }: ConfigPlaces & { readonly now: Date },
): Promise<void> {
  await requireConfigPlaces(differences, places);
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  for (const { path, saved, isAccess } of differences) {
    await makeDirectory(dirname(path), { mode: 0o755, owner: places.owner, sync: "directory" });
    const owned = { owner: places.owner, sync: "directory", within: { base: dirname(path) } } as const;
    // A restore that is interrupted in between finds none and puts it.
    if ((await lstatIfPresent(path)) !== undefined)
      await moveEntry(path, keptPrefix(path) + stamp, { ...owned, sync: "none" });
    // As Debian has it: who may log in is nobody's business. The server is started with it next, also after a crash.
    await replaceFile(path, saved, { ...owned, mode: isAccess ? 0o640 : 0o644 });
  }
}
