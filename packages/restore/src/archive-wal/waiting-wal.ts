import { readPlannedTable } from "../wal/planned-table.ts";
import type { RestoreRecord } from "../status/restore-record.ts";
import { walToArchive, type LocalWalFile } from "./wal-to-archive.ts";

/** WAL files that a restore of the phase `opened` had to store when it began to: some of them may be stored by now. Undefined where its list cannot be read. */
export async function waitingWal(
  dataDir: string,
  { outcome }: RestoreRecord,
): Promise<readonly LocalWalFile[] | undefined> {
  const table = await readPlannedTable(dataDir);
  if (table === undefined) return undefined;
  return outcome?.reachedLsn === undefined ? [] : walToArchive(table, BigInt(outcome.reachedLsn));
}
