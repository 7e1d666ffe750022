import { readFile } from "node:fs/promises";
import { meansAbsent, systemErrorCode, unreadable } from "./unwritable.ts";

/** What the kernel says of a process in /proc/<pid>/stat (proc_pid_stat(5)). */
export interface ProcessStat {
  /** Of the program, cut to 15 bytes. */
  readonly name: string;
  /** One letter; Z and X for one that has ended and was not collected by its parent. */
  readonly state: string;
  readonly parent: number;
  /** Moment of its start in clock ticks since the machine started: with it an id names one process only. */
  readonly start: string;
}

/** Undefined for what is no such line. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  // The name stands in parentheses and may itself hold any character.
  const [, name, rest = ""] = /^\d+ \((.*)\) ([^)]*)$/s.exec(text) ?? [];
  const fields = rest.trimEnd().split(" ");
  const [state, parent, start] = [fields[0], fields[1], fields[19]];
  if (name === undefined || state === undefined || parent === undefined || start === undefined) return undefined;
  return { name, state, parent: Number(parent), start };
}

/** Undefined when there is no such process, and on systems without /proc. */
export async function readProcessStat(processId: number): Promise<ProcessStat | undefined> {
  const text = await readProc(`/proc/${processId}/stat`);
  return text === undefined ? undefined : parseProcessStat(text);
}

/** Whether it has ended and only waits for its parent to collect it: in a container whose first process does not, for ever. */
export function hasEnded({ state }: Pick<ProcessStat, "state">): boolean {
  return state === "Z" || state === "X";
}

/** When a living process was started. Undefined when there is none; empty where the system does not tell. */
export async function processStart(processId: number): Promise<string | undefined> {
  const stat = await readProcessStat(processId);
  if (stat === undefined) return process.platform === "linux" ? undefined : "";
  return hasEnded(stat) ? undefined : stat.start;
}

/** Whether the process of this id that was started then lives, where this is Linux: the id alone is given out again. */
export async function isProcessAlive(processId: number, start: string): Promise<boolean> {
  const stat = await readProcessStat(processId);
  return stat?.start === start && !hasEnded(stat);
}

/** A process that ends while it is looked at is gone. */
async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (meansAbsent(error) || systemErrorCode(error) === "ESRCH") return undefined;
    throw unreadable(path, error);
  }
}
