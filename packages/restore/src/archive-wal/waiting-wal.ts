import { readPlannedTable } from "../wal/planned-table.ts";
import type { RestoreRecord } from "../status/restore-record.ts";
import { walToArchive, type LocalWalFile } from "./wal-to-archive.ts";

/** WAL files that a restore of the phase `archive` had to store when it began to: some of them may be stored by now. */
export async function waitingWal(dataDir: string, { outcome }: RestoreRecord): Promise<readonly LocalWalFile[]> {
  const table = await readPlannedTable(dataDir);
  return table === undefined || outcome?.reachedLsn === undefined
    ? []
    : walToArchive(table, BigInt(outcome.reachedLsn));
}
