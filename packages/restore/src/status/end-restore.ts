import { join } from "node:path";
import { emptyDirectory, removeTree } from "@soar/durable-files/directories";
import type { Owner } from "@soar/durable-files";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { closeKept } from "./kept-record.ts";
import type { RecordKeeper } from "./record-keeper.ts";
import { LOCK_NAME } from "./restore-lock.ts";
import { RECORD_NAME } from "./restore-record.ts";
import { TABLE_NAME } from "../wal/planned-table.ts";

/** Removes what only the restore needed; its record goes behind everything that it names. */
export async function endRestore({
  dataDir,
  owner,
  keeper,
}: {
  readonly dataDir: string;
  readonly owner?: Owner | undefined;
  readonly keeper: RecordKeeper;
}): Promise<void> {
  const stateDir = join(dataDir, RESTORE_STATE_DIRECTORY);
  const options = { sync: "none", within: inDataDirectory(dataDir, owner) } as const;
  await closeKept(dataDir, keeper.record.keptAs, new Date());
  // A record of the phase `opened` without its list of WAL could not be gone on with.
  await emptyDirectory(stateDir, { ...options, except: new Set([RECORD_NAME, LOCK_NAME, TABLE_NAME]) });
  await keeper.remove();
  await removeTree(stateDir, options);
}
