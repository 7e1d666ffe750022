import { constants } from "node:fs";
import { chown, lchown, link, lutimes, open, rm, symlink, utimes } from "node:fs/promises";
import { isRoot } from "@soar/durable-files";
import type { FileAttributes } from "../pool/tasks.ts";
import { unwritable } from "../pool/unwritable.ts";
import { toFilePath } from "../tar/entry-name.ts";
import type { DirectoryTree } from "./directory-tree.ts";
import type { PlannedLink } from "./planned-entry.ts";

interface LinkOptions {
  /** Whether a file or link of this path is removed first. */
  readonly overwrite: boolean;
}

/** Makes symbolic links with their owner and time. Throws `FILE_UNWRITABLE` or `DISK_FULL`. */
export async function makeSymlinks(
  links: readonly PlannedLink[],
  tree: DirectoryTree,
  { overwrite }: LinkOptions,
): Promise<void> {
  for (const { path, target, attributes } of links) {
    const place = tree.place(path);
    const name = toFilePath(place.at);
    try {
      if (overwrite) await rm(name, { force: true });
      await symlink(toFilePath(target), name);
      await setAttributes(name, attributes);
    } catch (cause) {
      throw unwritable(place.path, cause);
    }
  }
}

/** Linux' number for a descriptor of the link itself (asm-generic/fcntl.h), for which Node has no name. */
const O_PATH = 0o10000000;

/** By name only where the directory is our own: somebody else could have put a file in the place of the link. */
async function setAttributes(name: string | Buffer, { owner, mtime }: FileAttributes): Promise<void> {
  if (process.platform !== "linux" || !isRoot()) {
    if (owner !== undefined) await lchown(name, owner.uid, owner.gid);
    await lutimes(name, mtime, mtime);
    return;
  }
  await using handle = await open(name, O_PATH | constants.O_NOFOLLOW);
  const made = await handle.stat();
  if (!made.isSymbolicLink() || made.uid !== 0) return;
  const own = `/proc/self/fd/${handle.fd}`;
  if (owner !== undefined) await chown(own, owner.uid, owner.gid);
  await utimes(own, mtime, mtime);
}

/** Makes hard links to files under the target. Throws `FILE_UNWRITABLE` or `DISK_FULL`. */
export async function makeHardLinks(
  links: readonly PlannedLink[],
  tree: DirectoryTree,
  { overwrite }: LinkOptions,
): Promise<void> {
  for (const { path, target } of links) {
    const place = tree.place(path);
    await tree.prepareParent(target);
    try {
      if (overwrite) await rm(toFilePath(place.at), { force: true });
      await link(toFilePath(tree.place(target).at), toFilePath(place.at));
    } catch (cause) {
      throw unwritable(place.path, cause);
    }
  }
}
