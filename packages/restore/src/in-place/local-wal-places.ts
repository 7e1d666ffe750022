import { join } from "node:path";
import { heldControlFile } from "../fetch/delta/hold-control-file.ts";
import { listKept, listSavedWal } from "../status/kept-record.ts";
import { isFile } from "../is-file.ts";
import { readUnfinished } from "../status/unfinished.ts";

/**
 * Directories on this machine that may hold WAL which is in no bucket: pg_wal of the cluster that lies in the data
 * directory, and what restores have kept of its predecessors. What an unfinished restore has put there is nobody's newest.
 *
 * @param target as records name it: for another one than that of a restore which has only to store WAL yet, the cluster is
 * like any other
 */
export async function findLocalWalPlaces(dataDir: string, target?: string): Promise<string[]> {
  const earlier = await readUnfinished(dataDir);
  const isOver = earlier === undefined || (earlier.phase === "opened" && earlier.target !== target);
  const isOwn = isOver || (await isFile(heldControlFile(dataDir)));
  const isCluster = isOwn && (await isFile(join(dataDir, "PG_VERSION")));
  const kept = (await listKept(dataDir)).map(({ keptAs }) => join(keptAs, "pg_wal"));
  return [
    ...(isCluster ? [join(dataDir, "pg_wal")] : []),
    ...kept.toReversed(),
    ...(await listSavedWal(dataDir)).toReversed(),
  ];
}
