import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Owner } from "@soar/durable-files";
import { removeTree } from "@soar/durable-files/directories";
import type { ArchiveOutline } from "@soar/seekable-tar";

export interface RemoveForeignOptions {
  /** Paths, relative to the directory, that stay with everything below them. */
  readonly keep: ReadonlySet<string>;
  /** Whose the directory is, where this is root: nothing of anybody else is removed. */
  readonly owner?: Owner | undefined;
  /** Whether a name directly in the directory is looked at; all are unless said otherwise. */
  readonly isOurs?: (name: string) => boolean;
  /** Whether a link stays that the archive has nothing in the place of; none does unless said otherwise. */
  readonly keepsLink?: (path: string) => boolean;
}

/**
 * Removes from a directory what is not in the archive, or is of another kind there: a file of a table that the backup does
 * not know would come back to life, and WAL of another branch be replayed. Links are removed, never followed. Resolves to
 * the number of names that were removed.
 */
export async function removeForeign(
  directory: string,
  archive: ArchiveOutline,
  { keep, owner, isOurs = () => true, keepsLink = () => false }: RemoveForeignOptions,
): Promise<number> {
  const kinds = new Map<string, "directory" | "other">();
  for (const { path, type } of archive.entries) {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    kinds.set(parts.join("/"), type === "directory" ? "directory" : "other");
    // Not every archive names each directory.
    for (let depth = 1; depth < parts.length; depth += 1) kinds.set(parts.slice(0, depth).join("/"), "directory");
  }
  let removed = 0;
  const clean = async (relative: string): Promise<void> => {
    for (const entry of await readdir(join(directory, relative), { withFileTypes: true })) {
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (keep.has(path) || (relative === "" && !isOurs(entry.name))) continue;
      if (entry.isSymbolicLink() && !kinds.has(path) && keepsLink(path)) continue;
      const kind = entry.isDirectory() ? "directory" : "other";
      if (kinds.get(path) !== kind) {
        await removeTree(join(directory, path), { sync: "none", within: { base: directory, owner } });
        removed += 1;
      } else if (kind === "directory") await clean(path);
    }
  };
  await clean("");
  return removed;
}
