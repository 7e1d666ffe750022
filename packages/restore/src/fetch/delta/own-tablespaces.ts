import { existsSync } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Approach } from "./approach.ts";

/** Directories of tablespaces that belong to what lies in the data directory, by OID, and may be filled again with it. */
export async function ownTablespaces(dataDir: string, approach: Approach): Promise<Map<number, string>> {
  const places = new Map("earlier" in approach ? (approach.earlier?.tablespaces ?? []) : []);
  const hasOwnData = approach.kind === "replace" || (approach.kind === "refill" && approach.ownData);
  if (!hasOwnData) return places;
  const links = join(dataDir, "pg_tblspc");
  for (const entry of existsSync(links) ? await readdir(links, { withFileTypes: true }) : []) {
    if (entry.isSymbolicLink()) places.set(Number(entry.name), await readlink(join(links, entry.name)));
  }
  return places;
}
