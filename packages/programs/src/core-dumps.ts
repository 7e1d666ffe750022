import { readFileSync, writeFileSync } from "node:fs";

/** What a dump of this process would have held before `hideMemory`, as bits in hexadecimal. */
let before: string | undefined;

/**
 * The memory of this process holds secrets, and a core dump would write them to a disk (safety, promise 10). Node has no
 * setrlimit; but the kernel asks the process itself which of its memory a dump may hold (core(5), coredump_filter): none.
 */
export function hideMemory(): void {
  whereThereIs(() => {
    const own = "/proc/self/coredump_filter";
    const found = readFileSync(own, "utf8").trim();
    writeFileSync(own, "0");
    before ??= found;
  });
}

/** A child inherits what was hidden here, and a server that goes on by itself is to be looked into when it crashes. */
export function showMemoryOf(pid: number): void {
  const shown = before;
  if (shown !== undefined) whereThereIs(() => writeFileSync(`/proc/${pid}/coredump_filter`, `0x${shown}`));
}

function whereThereIs(work: () => void): void {
  if (process.platform !== "linux") return;
  try {
    work();
  } catch (error) {
    // Without /proc, with one that is read-only, or of a process that has ended, nothing can be done here; a backup is worth more.
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}
