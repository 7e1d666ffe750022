import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { meansAbsent, systemErrorCode, unreadable } from "@soar/durable-files";
import type { Approach } from "./approach.ts";

/** Links in pg_tblspc with where they lead to, by their names; none where it is missing or something else. */
export async function tablespaceLinks(dataDir: string): Promise<Map<string, string>> {
  const links = join(dataDir, "pg_tblspc");
  const entries = await readdir(links, { withFileTypes: true }).catch((error: unknown) => {
    if (meansAbsent(error) || systemErrorCode(error) === "ELOOP") return [];
    throw unreadable(links, error);
  });
  const named = entries.filter((entry) => entry.isSymbolicLink());
  return new Map(await Promise.all(named.map(async ({ name }) => [name, await readlink(join(links, name))] as const)));
}

/** Directories of tablespaces that belong to what lies in the data directory, by OID, and may be filled again with it. */
export async function ownTablespaces(dataDir: string, approach: Approach): Promise<Map<number, string>> {
  const places = new Map("earlier" in approach ? (approach.earlier?.tablespaces ?? []) : []);
  const hasOwnData = approach.kind === "replace" || (approach.kind === "refill" && approach.ownData);
  if (!hasOwnData) return places;
  for (const [name, place] of await tablespaceLinks(dataDir)) places.set(Number(name), place);
  return places;
}
