import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { cleanEnvironment } from "@soar-tooling/test-bench";
import type { ServerUser } from "@soar-tooling/test-bench";

const POLL_MS = 15;

/** What `postmaster.pid` says of a live server. Line 8 is the state since PostgreSQL 10 (src/include/utils/pidfile.h). */
export interface Postmaster {
  readonly pid: number;
  readonly state: string;
}

/** The server that runs on this data directory, whoever started it. A stale pid file counts as none. */
export function findPostmaster(dataDir: string): Postmaster | undefined {
  const [pidLine, , , , , , , state] = (readIfPresent(join(dataDir, "postmaster.pid")) ?? "").split("\n");
  const pid = Number(pidLine);
  return Number.isInteger(pid) && pid > 0 && worksIn(pid, dataDir) ? { pid, state: (state ?? "").trim() } : undefined;
}

/** A postmaster changes into its data directory; the id alone may belong to anybody by now. */
function worksIn(pid: number, dataDir: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir);
  } catch (error) {
    // EACCES: a process of somebody else, who was given the id after our server had ended.
    if (isMissing(error) || hasCode(error, "EACCES")) return false;
    throw error;
  }
}

export interface StartPostmaster {
  readonly binDir: string;
  readonly dataDir: string;
  readonly user: ServerUser;
  readonly logFile: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Return as soon as the server accepts connections, or, if false, as soon as it has its pid file. */
  readonly untilReady: boolean;
}

/** Starts `postgres` itself and waits until it answers. Throws with its log when it ends first. */
export async function startPostmaster(options: StartPostmaster): Promise<number> {
  const log = openSync(options.logFile, "a", 0o644);
  const { uid, gid } = options.user;
  const child = spawn(join(options.binDir, "postgres"), ["-D", options.dataDir, ...options.args], {
    uid,
    gid,
    cwd: "/",
    env: cleanEnvironment(options.env),
    stdio: ["ignore", log, log],
    // Ctrl-C is a fast shutdown to a server; here the watchdog decides.
    detached: true,
  });
  closeSync(log);
  child.unref();
  let ended: string | undefined;
  child.once("exit", (status, by) => (ended = `status ${status ?? by}`));
  child.once("error", (error) => (ended = error.message));
  for (;;) {
    const found = findPostmaster(options.dataDir);
    // "standby" is a server in recovery with hot_standby off: it accepts no connections before the end of recovery.
    if (found !== undefined && (!options.untilReady || found.state === "ready" || found.state === "standby"))
      return found.pid;
    if (ended !== undefined)
      throw new Error(`unable to start the server of '${options.dataDir}': ${ended}\n${lastLines(options.logFile)}`);
    await delay(POLL_MS);
  }
}

/**
 * Kills a postmaster and all its children with SIGKILL, as the power failure of one machine would, and waits until they are gone.
 * Its segment of shared memory goes, too: nobody else removes it, and a machine has room for 4,096.
 */
export async function killPostmaster(pid: number): Promise<void> {
  const segment = sharedMemoryOf(pid);
  // Stopped first, so that it cannot start another child while its children are counted.
  signal(pid, "SIGSTOP");
  const family = [pid, ...childrenOf(pid)];
  for (const member of family) signal(member, "SIGKILL");
  for (const member of family) await waitForEnd(member);
  if (segment !== undefined) spawnSync("ipcrm", ["-m", segment], { stdio: "ignore" });
}

/** Line 7 of `postmaster.pid` has its key and its id (src/include/utils/pidfile.h). */
function sharedMemoryOf(pid: number): string | undefined {
  const [pidLine, , , , , , segment] = (readIfPresent(`/proc/${pid}/cwd/postmaster.pid`) ?? "").split("\n");
  return Number(pidLine) === pid ? /^\s*\d+\s+(\d+)\s*$/.exec(segment ?? "")?.[1] : undefined;
}

export async function waitForEnd(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(POLL_MS);
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}

/** A zombie is as good as gone: it holds no memory and no file. */
function isAlive(pid: number): boolean {
  const state = /\) ([A-Z])/.exec(readIfPresent(`/proc/${pid}/stat`) ?? "")?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

function childrenOf(parent: number): number[] {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return processes
    .filter((id) => Number(/\) [A-Z] (\d+)/.exec(readIfPresent(`/proc/${id}/stat`) ?? "")?.[1]) === parent)
    .map(Number);
}

function lastLines(file: string, count = 30): string {
  return (readIfPresent(file) ?? "").trimEnd().split("\n").slice(-count).join("\n");
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** ESRCH: a process ended while its file was being read. */
function isMissing(error: unknown): boolean {
  return hasCode(error, "ENOENT") || hasCode(error, "ESRCH");
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
