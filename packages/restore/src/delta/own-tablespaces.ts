import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Approach } from "./approach.ts";

/** Directories of tablespaces that belong to what lies in the data directory, by OID, and may be filled again with it. */
export async function ownTablespaces(dataDir: string, approach: Approach): Promise<Map<number, string>> {
  if (approach.kind === "fill") return new Map();
  const places = new Map(approach.earlier?.tablespaces ?? []);
  if (approach.kind !== "refill" || !approach.ownData) return places;
  const links = join(dataDir, "pg_tblspc");
  for (const entry of await readdir(links, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) places.set(Number(entry.name), await readlink(join(links, entry.name)));
  }
  return places;
}
