import { lstat, readdir, rmdir, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type HeldDirectory, holdDirectory, openReal, requireOwner } from "./held-directory.ts";
import { isRoot, type Owner } from "./owner.ts";
import type { RemoveOptions } from "./remove-file.ts";
import { writing } from "./replace-file.ts";
import { meansAbsent, systemErrorCode } from "./unwritable.ts";

export interface TreeOptions extends RemoveOptions {
  /** As root, nothing is removed but directories of this user and of root; that of `within` unless said. */
  readonly owner?: Owner | undefined;
}

export interface EmptyOptions extends TreeOptions {
  /** Names directly in the directory that stay. */
  readonly except?: ReadonlySet<string> | undefined;
}

/** Somebody may still make files there, as a server that is being stopped. */
const ATTEMPTS = 5;

/**
 * Removes a directory with everything in it, or a file, or a link itself; resolves to whether it was there. Each directory is
 * gone into through the one above it, so that nobody leads the removal elsewhere while it goes on. Rejects with
 * `FILE_UNWRITABLE`.
 */
export async function removeTree(path: string, options: TreeOptions): Promise<boolean> {
  return await removing(path, options, async () => {
    await using parent = await holdDirectory(dirname(path), options.within);
    const wasThere = await removeEntry(parent, Buffer.from(basename(path)), { path, owner: ownerOf(options) });
    if (options.sync === "directory") await parent.sync();
    return wasThere;
  });
}

/** Removes what is in a directory as `removeTree` does; resolves to whether the directory was there. */
export async function emptyDirectory(path: string, options: EmptyOptions): Promise<boolean> {
  return await removing(path, options, async () => {
    await using directory = await holdDirectory(path, options.within);
    await removeContent(directory, { path, owner: ownerOf(options) }, options.except);
    if (options.sync === "directory") await directory.sync();
    return true;
  });
}

function ownerOf({ owner, within }: TreeOptions): Owner | undefined {
  return owner ?? within?.owner;
}

async function removing(path: string, { hint }: RemoveOptions, work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await writing(path, hint, work);
  } catch (error) {
    if (meansAbsent(error)) return false;
    throw error;
  }
}

interface Tree {
  /** For messages. */
  readonly path: string;
  readonly owner: Owner | undefined;
}

async function removeContent(directory: HeldDirectory, tree: Tree, except?: ReadonlySet<string>): Promise<void> {
  // Names are bytes: one that is no UTF-8 would not be found again.
  for (const name of await readdir(directory.at("."), { encoding: "buffer" }))
    if (except?.has(name.toString()) !== true) await removeEntry(directory, name, tree);
}

async function removeEntry(directory: HeldDirectory, name: Buffer, { path, owner }: Tree): Promise<boolean> {
  const entry = Buffer.concat([Buffer.from(`${directory.at(".")}/`), name]);
  const found = await lstat(entry).catch(ignoreAbsent);
  if (found === undefined) return false;
  if (!found.isDirectory()) {
    await unlink(entry).catch(ignoreAbsent);
    return true;
  }
  for (let attempt = 1; ; attempt += 1) {
    await emptyEntry(entry, { path: join(path, name.toString()), owner });
    try {
      await rmdir(entry);
      return true;
    } catch (error) {
      if (meansAbsent(error)) return true;
      if (systemErrorCode(error) !== "ENOTEMPTY" || attempt === ATTEMPTS) throw error;
    }
  }
}

async function emptyEntry(entry: Buffer, tree: Tree): Promise<void> {
  await using inner = await openReal(entry, tree.path);
  // What an interrupted run of root has made was not given away yet.
  if (isRoot() && inner.owner.uid !== 0) requireOwner(tree.path, inner, tree.owner);
  await removeContent(inner, tree);
}

function ignoreAbsent(error: unknown): undefined {
  if (meansAbsent(error)) return undefined;
  throw error;
}
