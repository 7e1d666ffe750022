import { readdir } from "node:fs/promises";
import { readLinkIfPresent, statIfPresent, systemErrorCode } from "@soar/durable-files";
import { hasEnded, readProcessStat } from "@soar/durable-files/processes";

/** A process as far as this user may see it. */
export interface ServerProcess {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Undefined where the system does not tell: a process of another user, or a system without /proc. */
  readonly directory: string | undefined;
}

/** Undefined when there is no such process, or only its remains that its parent has not collected yet. */
export async function findProcess(pid: number): Promise<ServerProcess | undefined> {
  const stat = await readProcessStat(pid);
  /* v8 ignore next -- every other system than Linux, on which the tests run, is without /proc */
  if (stat === undefined) return isSignallable(pid) && process.platform !== "linux" ? unknownProcess(pid) : undefined;
  const { parent, name } = stat;
  if (hasEnded(stat)) return undefined;
  return { pid, parent, name, directory: await lookAt(`/proc/${pid}/cwd`, readLinkIfPresent) };
}

/** Whether a process has ended and waits for its parent to collect it: in a container whose first process does not, for ever. */
export async function isUncollected(pid: number): Promise<boolean> {
  const stat = await readProcessStat(pid);
  return stat !== undefined && hasEnded(stat);
}

/** Server processes that work in this directory: a postmaster and its children stay in their data directory. */
export async function processesIn(directory: string): Promise<ServerProcess[]> {
  /* v8 ignore next -- there is no /proc to look into */
  if (process.platform !== "linux") return [];
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: ServerProcess[] = [];
  for (const pid of ids) {
    const one = await findProcess(pid);
    // The name is the cheapest test and sorts out nearly all.
    if (one !== undefined && isServerName(one.name) && (await worksIn(one, directory)) === true) found.push(one);
  }
  return found;
}

/**
 * Whether a process works in this directory; undefined where the system does not tell. The paths say nothing: a container may
 * have the directory under another one, and another directory under this one.
 */
export async function worksIn(
  { pid, directory: path }: ServerProcess,
  directory: string,
): Promise<boolean | undefined> {
  /* v8 ignore next -- root, who may run the tests, sees where every process works */
  if (path === undefined) return undefined;
  const [own, its] = [await statIfPresent(directory), await lookAt(`/proc/${pid}/cwd`, (link) => statIfPresent(link))];
  return own !== undefined && its !== undefined && own.dev === its.dev && own.ino === its.ino;
}

/** RPM packages of old run the server under its other name. */
export function isServerName(name: string): boolean {
  return name === "postgres" || name === "postmaster";
}

export function isAlive(pid: number): Promise<boolean> {
  return findProcess(pid).then((found) => found !== undefined);
}

/** Sends a signal; false when the process is gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    /* v8 ignore else -- root, who may run the tests, is allowed to signal everybody */
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function unknownProcess(pid: number): ServerProcess {
  return { pid, parent: 0, name: "postgres", directory: undefined };
}

function isSignallable(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Undefined for what this user may not see of a process, or one that is gone. */
async function lookAt<T>(path: string, look: (path: string) => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await look(path);
  } catch (error) {
    /* v8 ignore next -- root, who may run the tests, sees the links of all processes, and ESRCH takes a process that ends just then */
    if (["ESRCH", "EACCES", "EPERM"].includes(systemErrorCode(error) ?? "")) return undefined;
    throw error;
  }
}
