import { dirname } from "node:path";
import { readTextIfPresent } from "./if-present.ts";
import { bootId, readProcessStat } from "./process-start.ts";
import { removeFile } from "./remove-file.ts";
import { writeNew } from "./write-new.ts";

export interface ProcessLock {
  release(): Promise<void>;
}

/** Process id of who holds the lock, for messages. */
export interface LockHolder {
  readonly processId: string;
}

/** Nothing is synced: after a crash of the machine no process holds anything. */
const SYNC = "none";

/**
 * Takes a lock that lies in a file and names a process; one that is gone, or whose id was given to another program since,
 * holds nothing. The file appears with its content, so that nobody takes a lock that is just being made for an abandoned one.
 * Rejects with `FILE_UNWRITABLE` or `DISK_FULL` when the directory cannot be written.
 */
export async function tryLock(path: string): Promise<ProcessLock | LockHolder> {
  const own = `${process.pid} ${await startOf(process.pid)}\n`;
  for (;;) {
    if (await writeNew(path, own, { mode: 0o600, sync: SYNC })) return { release: () => unlock(path) };
    const holder = await readHolder(path);
    if (holder === undefined) continue;
    if (await isAlive(holder)) return { processId: holder.split(" ")[0] ?? "" };
    await removeAbandoned(path, holder);
  }
}

/** Whether a process that lives holds the lock. */
export async function isHeld(path: string): Promise<boolean> {
  const holder = await readHolder(path);
  return holder !== undefined && (await isAlive(holder));
}

/**
 * Only one process at a time may remove what this holder left, and looks once more: else a slower one would remove the lock that
 * a faster one has taken meanwhile.
 */
async function removeAbandoned(path: string, holder: string): Promise<void> {
  const right = await tryLock(
    `${path}.${holder
      .trim()
      .replaceAll(/[^\w@-]/g, "-")
      .slice(0, 64)}`,
  );
  if (!("release" in right)) return;
  try {
    if ((await readHolder(path)) === holder) await removeFile(path, { sync: SYNC });
  } finally {
    await right.release();
  }
}

/** An ordinary file of this very directory: a pipe would be waited for, and a link read for whoever put it there. */
async function readHolder(path: string): Promise<string | undefined> {
  return await readTextIfPresent(path, { within: { base: dirname(path) } });
}

async function unlock(path: string): Promise<void> {
  await removeFile(path, { sync: SYNC });
}

/** Process ids are given out again, also after a reboot: the moment of the start tells two apart. */
async function isAlive(holder: string): Promise<boolean> {
  const [id = "", start = ""] = holder.trim().split(" ");
  const pid = Number(id);
  return Number.isInteger(pid) && pid > 0 && (await startOf(pid)) === start;
}

/** Empty for a process that is not there. */
async function startOf(pid: number): Promise<string> {
  const stat = await readProcessStat(pid);
  return stat === undefined ? "" : `${stat.start}@${await bootId()}`;
}
