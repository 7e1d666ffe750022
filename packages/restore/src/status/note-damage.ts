import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { lockRestore } from "./restore-lock.ts";
import { readRestoreRecord, writeRestoreRecord } from "./restore-record.ts";

/**
 * Notes damage that was proved before a run came to have the record, so that the next one may overwrite what is damaged. Only of
 * the phase `finish`: in those before, everything may be overwritten, and behind it nothing. Rejects with
 * `DIRECTORY_NOT_EMPTY` while another restore is at work there.
 */
export async function noteDamage(dataDir: string, damage: string): Promise<void> {
  // Whoever restored there: the record is written as what lies beside it.
  const { uid, gid } = await lstat(join(dataDir, RESTORE_STATE_DIRECTORY));
  const owner = { uid, gid };
  const lock = await lockRestore(dataDir, owner);
  try {
    const record = await readRestoreRecord(dataDir);
    if (record?.phase === "finish") await writeRestoreRecord(dataDir, { ...record, damage }, owner);
  } finally {
    await lock.release();
  }
}
