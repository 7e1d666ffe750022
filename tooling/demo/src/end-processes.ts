import { readdirSync, readFileSync } from "node:fs";

/**
 * Kills every process with this directory, whose name is unique, on its command line. A server that is killed leaves the
 * archive command behind that it was running, and that one would go on trying to reach its bucket for a minute.
 */
export function endProcessesNaming(directory: string): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory)) process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

/** It ended while it was looked at, or belongs to somebody else, and then it is none of ours. */
function isGone(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && ["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(String(error.code))
  );
}
