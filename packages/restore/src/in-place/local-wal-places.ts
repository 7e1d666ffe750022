import { join } from "node:path";
import { heldControlFile } from "../fetch/delta/hold-control-file.ts";
import { listKept, listSavedWal } from "../status/kept-record.ts";
import { isFile } from "../is-file.ts";
import { readUnfinished } from "../status/unfinished.ts";

/**
 * Directories on this machine that may hold WAL which is in no bucket: pg_wal of the cluster that lies in the data
 * directory, and what restores have kept of its predecessors. What an unfinished restore has put there is nobody's newest.
 */
export async function findLocalWalPlaces(dataDir: string): Promise<string[]> {
  const isOwn = (await readUnfinished(dataDir)) === undefined || (await isFile(heldControlFile(dataDir)));
  const isCluster = isOwn && (await isFile(join(dataDir, "PG_VERSION")));
  const kept = (await listKept(dataDir)).map(({ keptAs }) => join(keptAs, "pg_wal"));
  return [
    ...(isCluster ? [join(dataDir, "pg_wal")] : []),
    ...kept.toReversed(),
    ...(await listSavedWal(dataDir)).toReversed(),
  ];
}
