import { SoarError } from "@soar/errors";
import { readClusterState } from "@soar/pg-tools/cluster";
import { archiveLocalWal, type ArchivedLocalWal, type ArchiveWal } from "../archive-wal/archive-local-wal.ts";
import { requireAllStored } from "../archive-wal/require-all-stored.ts";
import { waitingWal } from "../archive-wal/waiting-wal.ts";
import { removePrivateDirectory } from "../recover/private-access.ts";
import type { Environment } from "../server-control/run-command.ts";
import { controlUnits, hasSystemd } from "../server-control/systemd.ts";
import { endOpened } from "./forget-restore.ts";

export interface FinishUnplannedOptions {
  readonly dataDir: string;
  /** Units of applications. */
  readonly appServices: readonly string[];
  readonly systemEnv: Environment;
  readonly archiveWal: ArchiveWal;
  readonly signal?: AbortSignal | undefined;
  /** Called before each file, with the number of those that are done, and of all. */
  readonly onFile: (done: number, total: number) => void;
}

/**
 * Finishes a restore whose server was opened and runs, without a plan: the backups that one would need may have expired since.
 * Starts the applications, stores what the interrupted run has recorded, and ends the restore. Undefined where it is over
 * already. Rejects with `SERVER_UNSUITABLE` when the server does not run, with `FORMAT_INVALID` when what is to be stored cannot
 * be read, and with `WAL_MISSING` when not all of it could be stored: the restore is not over then.
 */
export async function finishUnplanned(options: FinishUnplannedOptions): Promise<ArchivedLocalWal | undefined> {
  const { dataDir, appServices, systemEnv, onFile } = options;
  return await endOpened(dataDir, async (record, owner) => {
    if (!(await readClusterState(dataDir)).running)
      throw new SoarError(
        "SERVER_UNSUITABLE",
        `unable to finish the restore in '${dataDir}': its server does not run`,
        {
          hint: "Start it, then give the same command again. Nothing was changed.",
        },
      );
    const files = await waitingWal(dataDir, record);
    if (files === undefined)
      throw new SoarError(
        "FORMAT_INVALID",
        `unable to finish the restore in '${dataDir}': its list of WAL cannot be read`,
        {
          hint: `To give that up: soar-restore forget --data-dir ${dataDir}. Nothing was changed.`,
        },
      );
    if (await hasSystemd(systemEnv)) await controlUnits("start", appServices, systemEnv);
    await removePrivateDirectory(dataDir, record.privateDir, owner);
    const localWal = await archiveLocalWal(files, {
      ...options,
      onFile: (done) => onFile(done, files.length),
    });
    // What keeps a plan from being made may keep the files from being stored, and pass.
    requireAllStored(dataDir, localWal);
    return localWal;
  });
}
