import { createHmac } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { readTextIfPresent } from "./if-present.ts";
import { processStart } from "./process-start.ts";
import { meansAbsent, PlaceError, systemErrorCode } from "./unwritable.ts";

/**
 * One process among all of all machines. Its id alone is given out again, by every machine, and in every container at the
 * same time.
 */
export interface ProcessIdentity {
  /**
   * Which installation of an operating system it runs under (machine-id(5)), in a form that tells it to nobody; undefined where
   * there is none, as in many containers.
   */
  readonly machine?: string | undefined;
  /** A random number that the kernel draws when it starts (random(4)). Units of systemd in a container see another one than the rest of it. */
  readonly boot: string;
  /** Where the id counts (pid_namespaces(7)). */
  readonly namespace: string;
  readonly id: number;
  /** Clock ticks since the machine started. */
  readonly start: string;
}

/** Random, and only ours: machine-id(5) asks programs to publish the id only hashed with such a number. */
const APPLICATION = Buffer.from("b7c7a1f2a5f24b8f9d5b0e6d2c4a8e13", "hex");

/** The id of a machine as this program publishes it; undefined for what is no id: empty, "uninitialized", or zeros. */
export function publishedMachineId(text: string): string | undefined {
  const id = text.trim().toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(id) || /^0+$/.test(id)) return undefined;
  return createHmac("sha256", Buffer.from(id, "hex")).update(APPLICATION).digest("hex").slice(0, 32);
}

/** A right that is missing, or something else that has the file's place. */
const NO_FILE: ReadonlySet<string | undefined> = new Set(["EACCES", "EPERM", "EISDIR", "ELOOP"]);

/** The id of this machine, published; undefined where there is none, also because the file may not be read or is none. */
export async function readMachineId(path: string): Promise<string | undefined> {
  try {
    return publishedMachineId((await readTextIfPresent(path)) ?? "");
  } catch (error) {
    // The id proves more where it is there, and nothing depends on it: a mounted directory of its name stops no backup.
    if (NO_FILE.has(systemErrorCode(error)) || (error instanceof Error && error.cause instanceof PlaceError))
      return undefined;
    throw error;
  }
}

const MACHINE_ID = "/etc/machine-id";

/** Which machine this is, in the form in which it is published; undefined where it has no id, as in many containers. */
export async function ownMachineId(): Promise<string | undefined> {
  return await readMachineId(MACHINE_ID);
}

/** This process; undefined where the system does not tell. */
export async function ownIdentity(): Promise<ProcessIdentity | undefined> {
  const id = process.pid;
  const start = await processStart(id);
  try {
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const namespace = await readlink("/proc/self/ns/pid");
    return start === undefined ? undefined : { machine: await ownMachineId(), boot, namespace, id, start };
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw error;
  }
}

/** Whether two processes are proved to be, or to have been, of one machine: none of them is of one that has no id. */
export function areOfOneMachine(
  one: Pick<ProcessIdentity, "machine">,
  other: Pick<ProcessIdentity, "machine">,
): boolean {
  return one.machine !== undefined && one.machine === other.machine;
}

/**
 * Whether a process is proved to have ended, as this one sees it. Never of one that this one cannot see: of another machine or
 * container, or of this machine before it was started again.
 */
export async function hasProcessEnded({ boot, namespace, id, start }: ProcessIdentity): Promise<boolean> {
  const own = await ownIdentity();
  return own?.boot === boot && own.namespace === namespace && (await processStart(id)) !== start;
}
