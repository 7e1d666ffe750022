import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { lstatIfPresent, makeDirectory, type Owner } from "@soar/durable-files";
import { emptyDirectory } from "@soar/durable-files/directories";
import type { ArchiveOutline, TableOutline } from "@soar/seekable-tar";
import { RESTORE_STATE_DIRECTORY } from "../../data-directory.ts";
import { isOutsideLink } from "./outside-links.ts";
import { removeForeign } from "./remove-foreign.ts";
import { TABLESPACE_DIRECTORY } from "./tablespace-directory.ts";

export interface RefillOptions {
  readonly dataDir: string;
  readonly tablespaces: ReadonlyMap<number, string>;
  /** Who owns all of it, where this is root: nothing of anybody else is removed. */
  readonly owner?: Owner | undefined;
  readonly keepsLinks: boolean;
}

/**
 * Makes a directory that holds files already ready to be filled: removes what the backup does not have. pg_wal stays a
 * link when it is one, emptied. Resolves to whether it is: nothing is extracted into it then.
 */
export async function clearForRefill(
  table: TableOutline,
  { dataDir, tablespaces, owner, keepsLinks }: RefillOptions,
): Promise<{ walIsLink: boolean }> {
  const walIsLink = await isLink(join(dataDir, "pg_wal"));
  for (const archive of table.archives) {
    if (archive.name === "base") {
      await removeForeign(dataDir, archive, {
        owner,
        keepsLink: (path) => keepsLinks && isOutsideLink(path),
        keep: new Set([RESTORE_STATE_DIRECTORY, "lost+found", ...(walIsLink ? ["pg_wal"] : [])]),
      });
      if (walIsLink) await emptyLinkedWal(dataDir, archive, owner);
    } else {
      const place = tablespaces.get(Number(archive.name));
      // The interrupted run may not have come as far as this one.
      if (place !== undefined && existsSync(place))
        await removeForeign(place, archive, {
          owner,
          keep: new Set(),
          // Another major version may have its own beside them.
          isOurs: (name) => TABLESPACE_DIRECTORY.test(name),
        });
    }
  }
  return { walIsLink };
}

async function emptyLinkedWal(dataDir: string, { entries }: ArchiveOutline, owner: Owner | undefined): Promise<void> {
  const walDir = await realpath(join(dataDir, "pg_wal"));
  // The link may be anybody's who can write to the data directory: only a directory of the server's user is emptied.
  const options = { sync: "none", within: { base: walDir, owner } } as const;
  await emptyDirectory(walDir, { ...options, except: new Set(["lost+found"]) });
  for (const { path, type } of entries) {
    const [, below] = /^(?:\.\/)?pg_wal\/(.+?)\/?$/.exec(path) ?? [];
    if (below !== undefined && type === "directory")
      await makeDirectory(join(walDir, below), { ...options, owner, mode: 0o700 });
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstatIfPresent(path))?.isSymbolicLink() ?? false;
}
