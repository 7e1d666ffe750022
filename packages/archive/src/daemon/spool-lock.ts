import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";

export interface SpoolLock {
  release(): Promise<void>;
}

/**
 * Makes sure that one archiver uses a spool. The lock names a process; one that is gone, or whose id was given to another
 * program since, holds nothing. Rejects with `CONFIG_INVALID` when the spool is in use, `FILE_UNWRITABLE` when it cannot
 * be written.
 */
export async function lockSpool(spoolDir: string): Promise<SpoolLock> {
  const path = join(spoolDir, "lock");
  try {
    await mkdir(spoolDir, { recursive: true, mode: 0o700 });
    for (;;) {
      if (await create(path)) return { release: () => rm(path, { force: true }) };
      const holder = (await readFile(path, "utf8").catch(ignoreMissing))?.trim();
      if (holder !== undefined && (await isAlive(holder))) throw inUse(spoolDir, holder);
      await rm(path, { force: true });
    }
  } catch (cause) {
    if (cause instanceof SoarError) throw cause;
    throw new SoarError("FILE_UNWRITABLE", `unable to use the spool '${spoolDir}': ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      hint: `Run: install -d -m 700 -o postgres -g postgres ${spoolDir}, or name another directory with --spool (BACKUP_SPOOL_DIR).`,
    });
  }
}

async function create(path: string): Promise<boolean> {
  const handle = await open(path, "wx", 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return undefined;
    throw error;
  });
  if (handle === undefined) return false;
  await handle.writeFile(`${process.pid} ${await startOf(process.pid)}\n`);
  await handle.close();
  return true;
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

function inUse(spoolDir: string, holder: string): SoarError {
  return new SoarError("CONFIG_INVALID", `unable to use the spool '${spoolDir}': the archiver with process id ${holder.split(" ")[0]} uses it`, {
    hint: "One archiver runs per cluster. For another cluster on this machine name another directory with --spool (BACKUP_SPOOL_DIR).",
  });
}
