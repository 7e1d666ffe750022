import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { lstatIfPresent, type Owner, readLinkIfPresent, replaceLink } from "@soar/durable-files";
import { inDataDirectory } from "../data-directory.ts";
import { isOutsideLink } from "../fetch/delta/outside-links.ts";

/**
 * Makes the links of an old data directory in the one that takes its place, where nothing has their names: the server
 * stores none of them with a backup, and a certificate and key, for example, are often links. They are not followed.
 * Resolves to their paths in the data directory.
 */
export async function carryLinks(from: string, to: string, owner: Owner | undefined): Promise<string[]> {
  const carried: string[] = [];
  const carry = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(from, below), { withFileTypes: true })) {
      const path = join(below, entry.name);
      if (!isOutsideLink(path)) continue;
      if (entry.isDirectory() && (await lstatIfPresent(join(to, path)))?.isDirectory() === true) await carry(path);
      const target = entry.isSymbolicLink() ? await readLinkIfPresent(join(from, path)) : undefined;
      if (target === undefined || (await lstatIfPresent(join(to, path))) !== undefined) continue;
      await replaceLink(join(to, path), target, { sync: "directory", within: inDataDirectory(to, owner) });
      carried.push(path);
    }
  };
  await carry("");
  return carried;
}
