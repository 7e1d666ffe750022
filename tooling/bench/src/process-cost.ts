import { readdirSync, readFileSync } from "node:fs";

/** The kernel's unit in /proc/PID/stat, the same on every Linux that Node runs on. */
const TICK_MS = 10;

/** Processor time of a process and of its children that have ended, in milliseconds; 0 when it is gone. */
export function cpuMs(pid: number): number {
  const fields = readProc(pid, "stat")
    .replace(/^.*\) /s, "")
    .split(" ")
    .map(Number);
  // utime, stime, cutime, cstime are fields 14 to 17 of proc(5); the first one here is field 3.
  return TICK_MS * fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0);
}

/** The kernel's own high-water mark of resident memory in MB, which no sampling misses; 0 when the process is gone. */
export function peakMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readProc(pid, "status"))?.[1] ?? 0) / 1024;
}

/** Resident memory now in MB. */
export function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readProc(pid, "status"))?.[1] ?? 0) / 1024;
}

/** Whether it is a server process of PostgreSQL, all of which count the same shared memory. */
export function isPostgres(pid: number): boolean {
  return readProc(pid, "comm").trim() === "postgres";
}

/** A process and everything that it started, as far as it still runs. */
export function processTree(root: number): number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      pid: Number(name),
      parent: Number(
        readProc(Number(name), "stat")
          .replace(/^.*\) /s, "")
          .split(" ")[1],
      ),
    }));
  const childrenOf = (pid: number): number[] =>
    parents.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...childrenOf(child.pid)]);
  return [root, ...childrenOf(root)];
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return "";
    throw error;
  }
}
