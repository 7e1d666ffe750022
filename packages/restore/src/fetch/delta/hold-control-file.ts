import { join } from "node:path";
import { meansAbsent, moveEntry, type Owner, statIfPresent, syncDirectory } from "@soar/durable-files";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../../data-directory.ts";

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
export async function holdControlFile(
  dataDir: string,
  { ownData, owner }: { readonly ownData: boolean; readonly owner?: Owner | undefined },
): Promise<void> {
  const [stateDir, global] = [join(dataDir, RESTORE_STATE_DIRECTORY), join(dataDir, "global")];
  const held = ownData ? heldControlFile(dataDir) : join(stateDir, "pg_control.dropped");
  try {
    // Before the first file changes, also for whoever finds the directory after a crash.
    await moveEntry(join(global, "pg_control"), held, { sync: "directory", within: inDataDirectory(dataDir, owner) });
  } catch (error) {
    if (!meansAbsent(error)) throw error;
    // An earlier run may have been interrupted between the two steps.
    await syncDirectory(stateDir);
    if ((await statIfPresent(global))?.isDirectory() === true) await syncDirectory(global);
  }
}
