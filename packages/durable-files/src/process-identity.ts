import { readFile, readlink } from "node:fs/promises";
import { processStart } from "./process-start.ts";
import { meansAbsent } from "./unwritable.ts";

/**
 * One process among all of all machines. Its id alone is given out again, by every machine, and in every container at the
 * same time.
 */
export interface ProcessIdentity {
  /** A random number that the kernel draws when it starts (random(4)). Units of systemd in a container see another one than the rest of it. */
  readonly boot: string;
  /** Where the id counts (pid_namespaces(7)). */
  readonly namespace: string;
  readonly id: number;
  /** Clock ticks since the machine started. */
  readonly start: string;
}

/** This process; undefined where the system does not tell. */
export async function ownIdentity(): Promise<ProcessIdentity | undefined> {
  const id = process.pid;
  const start = await processStart(id);
  try {
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const namespace = await readlink("/proc/self/ns/pid");
    return start === undefined ? undefined : { boot, namespace, id, start };
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw error;
  }
}

/**
 * Whether a process is proved to have ended, as this one sees it. Never of one that this one cannot see: of another machine or
 * container, or of this machine before it was started again.
 */
export async function hasProcessEnded({ boot, namespace, id, start }: ProcessIdentity): Promise<boolean> {
  const own = await ownIdentity();
  return own?.boot === boot && own.namespace === namespace && (await processStart(id)) !== start;
}
