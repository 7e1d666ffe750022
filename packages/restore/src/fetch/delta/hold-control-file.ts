import { rename } from "node:fs/promises";
import { join } from "node:path";
import { RESTORE_STATE_DIRECTORY } from "../../data-directory.ts";
import { syncDirectory } from "../../status/restore-record.ts";

/** pg_control of a cluster that had a life of its own, for as long as its newest WAL was not put aside. */
export function heldControlFile(dataDir: string): string {
  return join(dataDir, RESTORE_STATE_DIRECTORY, "pg_control.before");
}

/**
 * Takes pg_control away from a directory that is going to be a mix of old and new files, before the first of them changes
 * (safety, trap 60): until the backup's own is put back last, no server starts there. Does nothing when it is away already.
 *
 * @param options.ownData whether the directory is that of a cluster, not what an earlier restore has fetched
 */
export async function holdControlFile(dataDir: string, { ownData }: { readonly ownData: boolean }): Promise<void> {
  const stateDir = join(dataDir, RESTORE_STATE_DIRECTORY);
  await ignoreMissing(
    rename(
      join(dataDir, "global", "pg_control"),
      ownData ? heldControlFile(dataDir) : join(stateDir, "pg_control.dropped"),
    ),
  );
  await syncDirectory(stateDir);
  await ignoreMissing(syncDirectory(join(dataDir, "global")));
}

async function ignoreMissing(work: Promise<void>): Promise<void> {
  await work.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}
