import { realPathIfPresent } from "@soar/durable-files";
import { join } from "node:path";
import type { ClusterPlaces } from "./watched-files.ts";

/** What a link in pg_tblspc leads to instead of the directory that was filled, as a fact; undefined when each leads where it has to. */
export async function findMovedTablespace({ dataDir, tablespaces }: ClusterPlaces): Promise<string | undefined> {
  for (const [oid, directory] of tablespaces) {
    const link = join(dataDir, "pg_tblspc", String(oid));
    const [now, filled] = [await realPathIfPresent(link), await realPathIfPresent(directory)];
    if (now === undefined) return `pg_tblspc/${oid} leads to nothing`;
    if (now !== filled) return `pg_tblspc/${oid} leads to '${now}' and not to '${directory}'`;
  }
  return undefined;
}
