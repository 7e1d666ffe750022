import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import type { BigIntStats } from "node:fs";
import { requireKey } from "../../object-key.ts";
import type { StoredObject } from "../../object-store.ts";
import { hasSystemErrorCode } from "./errors.ts";

/** Where unfinished bytes lie: beside the objects, so that link(2) and rename(2) stay within one file system. */
export const PRIVATE_DIRECTORY = ".soar-store";

/** Names at the top that are no objects: our own, and the one that fsck makes and only root can read. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([PRIVATE_DIRECTORY, "lost+found"]);

/** Readable by the group, like a data directory with `initdb --allow-group-access`; never by everybody. */
export const DIRECTORY_MODE = 0o750;
export const FILE_MODE = 0o640;

/** True for names at the top of the directory that never belong to a key. */
export function isReservedName(name: string): boolean {
  return RESERVED_NAMES.has(name);
}

/**
 * Path of the file that holds an object: the key itself below the root, so that `ls`, `cp` and `tar` find their way
 * without this program. Safe because `requireKey` refuses everything that a path would read differently.
 */
export function pathOfKey(root: string, key: string): string {
  requireKey(key);
  const [first = ""] = key.split("/", 1);
  if (isReservedName(first)) {
    throw new SoarError("STORE_UNSUPPORTED", `unable to use the key '${key}': '${first}' is reserved in a directory`);
  }
  return join(root, key);
}

/** Inverse of `pathOfKey`. */
export function keyOfPath(root: string, path: string): string {
  return path.slice(root.endsWith("/") ? root.length : root.length + 1);
}

/** Facts of an object. The mark holds inode, size and time, so a replaced file never passes for the same. */
export function describeFile(key: string, stats: BigIntStats): StoredObject {
  return {
    key,
    size: Number(stats.size),
    modifiedAt: new Date(Number(stats.mtimeMs)),
    etag: `${stats.ino.toString(16)}-${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}`,
    storageClass: undefined,
  };
}

/** Facts of a file, or undefined when there is none: no entry, a directory, or a file in the place of a directory. */
export async function findFile(path: string): Promise<BigIntStats | undefined> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? stats : undefined;
  } catch (error) {
    if (hasSystemErrorCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** Rejects with `BUCKET_MISSING` when the directory of the store is not there: an absent disk must not look empty. */
export async function requireRoot(root: string): Promise<void> {
  try {
    if ((await stat(root)).isDirectory()) return;
  } catch (error) {
    if (!hasSystemErrorCode(error, "ENOENT", "ENOTDIR")) throw error;
  }
  throw new SoarError("BUCKET_MISSING", `unable to open the directory '${root}': there is no such directory`, {
    hint: `Mount its file system, or create it with 'mkdir -p ${root}' for the user that runs this program.`,
  });
}
