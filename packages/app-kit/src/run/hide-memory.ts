import { writeFileSync } from "node:fs";

/**
 * The memory of this process holds secrets, and a core dump would write them to a disk (safety, promise 10). Node has no
 * setrlimit; but the kernel asks the process itself which of its memory a dump may hold (core(5), coredump_filter): none.
 */
export function hideMemory(): void {
  if (process.platform !== "linux") return;
  try {
    writeFileSync("/proc/self/coredump_filter", "0");
  } catch (error) {
    // Without /proc, or with one that is read-only, nothing can be done here; a backup is worth more than that.
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}
