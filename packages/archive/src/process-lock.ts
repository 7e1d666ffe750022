import { link, readFile, rm, writeFile } from "node:fs/promises";

export interface ProcessLock {
  release(): Promise<void>;
}

/** Process id of who holds the lock, for messages. */
export interface LockHolder {
  readonly processId: string;
}

let attempts = 0;

/**
 * Takes a lock that lies in a file and names a process; one that is gone, or whose id was given to another program since,
 * holds nothing. The file appears with its content, so that nobody takes a lock that is just being made for an abandoned one.
 * Rejects when the directory cannot be written.
 */
export async function tryLock(path: string): Promise<ProcessLock | LockHolder> {
  attempts += 1;
  const own = `${path}.${process.pid}.${attempts}`;
  try {
    await writeFile(own, `${process.pid} ${await startOf(process.pid)}\n`, { mode: 0o600 });
    for (;;) {
      if (await linked(own, path)) return { release: () => rm(path, { force: true }) };
      const holder = (await readFile(path, "utf8").catch(ignoreMissing))?.trim();
      if (holder !== undefined && (await isAlive(holder))) return { processId: holder.split(" ")[0] ?? "" };
      await rm(path, { force: true });
    }
  } finally {
    await rm(own, { force: true });
  }
}

/** Whether a process that lives holds the lock. */
export async function isHeld(path: string): Promise<boolean> {
  const holder = (await readFile(path, "utf8").catch(ignoreMissing))?.trim();
  return holder !== undefined && (await isAlive(holder));
}

async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Process ids are given out again, also after a reboot: the moment of the start tells two apart. */
async function isAlive(holder: string): Promise<boolean> {
  const [id = "", start = ""] = holder.split(" ");
  const pid = Number(id);
  return Number.isInteger(pid) && pid > 0 && (await startOf(pid)) === start;
}

/** Field 22 of /proc/<pid>/stat, in ticks since boot, with the boot's id; empty for a process that is not there. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(ignoreMissing);
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(ignoreMissing);
  const ticks = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return ticks === undefined ? "" : `${ticks}@${boot?.trim() ?? ""}`;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ESRCH") return undefined;
  throw error;
}
