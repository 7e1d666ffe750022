import { existsSync } from "node:fs";
import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { lstatIfPresent } from "@soar/durable-files";
import type { SeekArchive, SeekTable } from "@soar/seekable-tar";
import { RESTORE_STATE_DIRECTORY } from "../../data-directory.ts";
import { isOutsideLink } from "./outside-links.ts";
import { removeForeign } from "./remove-foreign.ts";

/** Of a tablespace only the directories of this server; another major version may have its own beside them. */
const TABLESPACE_DIRECTORY = /^PG_\d+_\d+$/;

/**
 * Makes a directory that holds files already ready to be filled: removes what the backup does not have. pg_wal stays a
 * link when it is one, emptied. Resolves to whether it is: nothing is extracted into it then.
 */
export async function clearForRefill(
  table: SeekTable,
  dataDir: string,
  tablespaces: ReadonlyMap<number, string>,
  { keepsLinks }: { readonly keepsLinks: boolean },
): Promise<{ walIsLink: boolean }> {
  const walIsLink = await isLink(join(dataDir, "pg_wal"));
  for (const archive of table.archives) {
    if (archive.name === "base") {
      await removeForeign(dataDir, archive, {
        keepsLink: (path) => keepsLinks && isOutsideLink(path),
        keep: new Set([RESTORE_STATE_DIRECTORY, "lost+found", ...(walIsLink ? ["pg_wal"] : [])]),
      });
      if (walIsLink) await emptyLinkedWal(dataDir, archive);
    } else {
      const place = tablespaces.get(Number(archive.name));
      // The interrupted run may not have come as far as this one.
      if (place !== undefined && existsSync(place))
        await removeForeign(place, archive, { keep: new Set(), isOurs: (name) => TABLESPACE_DIRECTORY.test(name) });
    }
  }
  return { walIsLink };
}

async function emptyLinkedWal(dataDir: string, { entries }: SeekArchive): Promise<void> {
  const walDir = await realpath(join(dataDir, "pg_wal"));
  for (const name of await readdir(walDir)) await rm(join(walDir, name), { recursive: true });
  for (const { path, type } of entries) {
    const [, below] = /^(?:\.\/)?pg_wal\/(.+?)\/?$/.exec(path) ?? [];
    if (below !== undefined && type === "directory") await mkdir(join(walDir, below), { recursive: true, mode: 0o700 });
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstatIfPresent(path))?.isSymbolicLink() ?? false;
}
