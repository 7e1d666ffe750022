import { lchown, link, lutimes, rm, symlink } from "node:fs/promises";
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
    const full = tree.resolve(path);
    const name = toFilePath(full);
    try {
      if (overwrite) await rm(name, { force: true });
      await symlink(toFilePath(target), name);
      if (attributes.owner !== undefined) await lchown(name, attributes.owner.uid, attributes.owner.gid);
      await lutimes(name, attributes.mtime, attributes.mtime);
    } catch (cause) {
      throw unwritable(full, cause);
    }
  }
}

/** Makes hard links to files under the target. Throws `FILE_UNWRITABLE` or `DISK_FULL`. */
export async function makeHardLinks(
  links: readonly PlannedLink[],
  tree: DirectoryTree,
  { overwrite }: LinkOptions,
): Promise<void> {
  for (const { path, target } of links) {
    const full = tree.resolve(path);
    await tree.prepareParent(target);
    try {
      if (overwrite) await rm(toFilePath(full), { force: true });
      await link(toFilePath(tree.resolve(target)), toFilePath(full));
    } catch (cause) {
      throw unwritable(full, cause);
    }
  }
}
