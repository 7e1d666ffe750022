import { basename, dirname } from "node:path";
import { isRoot, type Owner, ownerOf, systemErrorCode, unwritable } from "@soar/durable-files";
import { holdDirectory, removeTree } from "@soar/durable-files/directories";
import type { FileHandle } from "node:fs/promises";

/** Something in the repository that is made, replaced or removed. */
export interface Reached extends AsyncDisposable {
  /** By which it is reached; as root in the very directory that was looked at, whatever is put in its place meanwhile. */
  readonly at: string;
  /** Makes the names beside it durable. */
  sync(): Promise<void>;
}

/**
 * Reaches something by its path. As root no link on the way is followed that the user of the repository could have made and
 * that leads to what belongs to anybody else. Rejects with the error of the system call, or `FILE_UNWRITABLE` for such a link.
 */
export async function reach(path: string): Promise<Reached> {
  try {
    const held = await holdDirectory(dirname(path));
    return {
      at: held.at(basename(path)),
      sync: () => held.sync(),
      [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
    };
  } catch (error) {
    throw systemErrorCode(error) === undefined ? unwritable(path, error) : error;
  }
}

/**
 * Whose everything is to be that is made in a repository: as root that of its directory, because what root leaves there locks
 * out the programs of that user for good. Undefined for anybody else.
 */
export async function ownerOfRoot(root: string): Promise<Owner | undefined> {
  return isRoot() ? await ownerOf(root) : undefined;
}

/** Gives to the owner what this process has made and holds open. */
export async function give(handle: FileHandle, owner: Owner | undefined): Promise<void> {
  if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
}

/** Removes a directory with everything in it, or a file, if it is there. */
export async function removeAll(path: string): Promise<void> {
  await removeTree(path, { sync: "none" });
}
