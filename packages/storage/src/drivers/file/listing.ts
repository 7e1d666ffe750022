import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { requireNotAborted } from "../../abort-signal.ts";
import { compareKeys } from "../../object-key.ts";
import type { StoredObject } from "../../object-store.ts";
import { hasSystemErrorCode } from "./errors.ts";
import { describeFile, isReservedName, requireRoot } from "./layout.ts";

export interface FileListing {
  readonly root: string;
  readonly prefix: string;
  readonly startAfter: string;
  readonly signal: AbortSignal | undefined;
}

/** An entry of a directory as it sorts among keys: a directory counts with its slash. */
interface Entry {
  readonly key: string;
  readonly path: string;
  readonly isDirectory: boolean;
}

/** Files looked at together; each needs a thread of libuv's pool. */
const STAT_BATCH = 64;

/** Yields the objects of a directory tree in byte order of their keys, reading only directories that can hold some. */
export async function* listFiles(listing: FileListing): AsyncGenerator<StoredObject, void, void> {
  await requireRoot(listing.root);
  const start = listing.prefix.slice(0, listing.prefix.lastIndexOf("/") + 1);
  if (start !== "" && isReservedName(start.slice(0, start.indexOf("/")))) return;
  yield* listDirectory(listing, start);
}

async function* listDirectory(listing: FileListing, directoryKey: string): AsyncGenerator<StoredObject, void, void> {
  let batch: Entry[] = [];
  for (const entry of await readEntries(listing, directoryKey)) {
    if (!entry.isDirectory) batch.push(entry);
    if (entry.isDirectory || batch.length === STAT_BATCH) {
      yield* await describeBatch(listing, batch);
      batch = [];
    }
    if (entry.isDirectory) yield* listDirectory(listing, entry.key);
  }
  yield* await describeBatch(listing, batch);
}

async function readEntries(listing: FileListing, directoryKey: string): Promise<Entry[]> {
  requireNotAborted(listing.signal, `list '${listing.prefix}'`);
  const directory = join(listing.root, directoryKey);
  const entries: Entry[] = [];
  for (const dirent of await readDirectory(directory)) {
    if (directoryKey === "" && isReservedName(dirent.name)) continue;
    const path = join(directory, dirent.name);
    const kind = await kindOf(dirent, path);
    if (kind === undefined) continue;
    const isDirectory = kind === "directory";
    const key = `${directoryKey}${dirent.name}${isDirectory ? "/" : ""}`;
    if (isWanted(listing, key, isDirectory)) entries.push({ key, path, isDirectory });
  }
  return entries.sort((left, right) => compareKeys(left.key, right.key));
}

/** A directory that vanished since it was seen held nothing that is still there. */
async function readDirectory(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (hasSystemErrorCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/** Symbolic links count as what they point to: operators move parts of a repository to other disks that way. */
async function kindOf(dirent: Dirent, path: string): Promise<"file" | "directory" | undefined> {
  if (dirent.isFile()) return "file";
  if (dirent.isDirectory()) return "directory";
  if (!dirent.isSymbolicLink()) return undefined;
  try {
    const target = await stat(path);
    if (target.isDirectory()) return "directory";
    return target.isFile() ? "file" : undefined;
  } catch (error) {
    if (hasSystemErrorCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function isWanted({ prefix, startAfter }: FileListing, key: string, isDirectory: boolean): boolean {
  if (!isDirectory) return key.startsWith(prefix) && compareKeys(key, startAfter) > 0;
  const mayMatch = key.startsWith(prefix) || prefix.startsWith(key);
  return mayMatch && (startAfter.startsWith(key) || compareKeys(key, startAfter) > 0);
}

async function describeBatch(listing: FileListing, batch: readonly Entry[]): Promise<StoredObject[]> {
  requireNotAborted(listing.signal, `list '${listing.prefix}'`);
  const objects = await Promise.all(batch.map(describeEntry));
  return objects.filter((object) => object !== undefined);
}

/** An object that vanished since the directory was read is left out, unless its name was never a key. */
async function describeEntry({ key, path }: Entry): Promise<StoredObject | undefined> {
  try {
    return describeFile(key, await stat(path, { bigint: true }));
  } catch (error) {
    if (!hasSystemErrorCode(error, "ENOENT", "ENOTDIR")) throw error;
    // Node reads bytes that are no UTF-8 as U+FFFD, and then does not find the file by that name.
    if (key.includes("\uFFFD")) {
      throw new SoarError("STORE_PROTOCOL", `unable to list '${path}': the name of the file is not UTF-8`, {
        hint: "Move files that do not belong to the repository out of its directory.",
        cause: error,
      });
    }
    return undefined;
  }
}
