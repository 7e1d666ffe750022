/**
 * Process groups that end with this process. Process-wide on purpose: whoever ends the process does not know which part of it
 * runs a program.
 */
const groups = new Set<number>();

/** Has the group ended by `endAllPrograms`, until it is released. */
export function holdGroup(id: number): void {
  groups.add(id);
}

export function releaseGroup(id: number): void {
  groups.delete(id);
}

/** Sends a signal to all processes of a group. False when none is left, or none that we may send one to. */
export function signalGroup(id: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-id, signal);
  } catch (error) {
    if (["ESRCH", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

/** Ends, by force, every program that runs and everything that it started: to be called when the process is about to exit. */
export function endAllPrograms(): void {
  for (const id of groups) signalGroup(id, "SIGKILL");
}
