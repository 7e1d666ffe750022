import { lchown, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Who owns the files of a cluster and runs its server, for a restore that runs as root. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Gives directories with everything below them to the server's user, for a restore that runs as root. What the extraction
 * made belongs to it already; this is for the files that were written beside it.
 */
export async function chownTree(directories: readonly string[], owner: ServerUser): Promise<void> {
  for (const directory of directories) {
    await lchown(directory, owner.uid, owner.gid);
    for (const entry of await readdir(directory, { withFileTypes: true, recursive: true }))
      await lchown(join(entry.parentPath, entry.name), owner.uid, owner.gid);
  }
}
