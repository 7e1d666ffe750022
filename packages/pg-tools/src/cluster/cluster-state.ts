import { join } from "node:path";
import { readTextIfPresent, realPathIfPresent } from "@soar/durable-files";
import { messageOf, SoarError } from "@soar/errors";
import { findProcess, isServerName, isUncollected, processesIn, worksIn } from "./cluster-processes.ts";

/**
 * What the postmaster last wrote of itself (line 8 of postmaster.pid, src/include/utils/pidfile.h). `ready` means that
 * it takes connections, in recovery too; `standby` that it recovers with `hot_standby` off and takes none.
 */
export type PostmasterStatus = "starting" | "stopping" | "ready" | "standby" | "unknown";

/** Whether a server runs on a data directory. */
export interface ClusterState {
  readonly running: boolean;
  /** The postmaster, when it runs. */
  readonly pid: number | undefined;
  readonly status: PostmasterStatus;
  readonly port: number | undefined;
  readonly socketDir: string | undefined;
  /** Processes of a server whose postmaster is gone: they still write, so the directory is in use. */
  readonly orphans: readonly number[];
  /** postmaster.pid names a process that is not this server: left by a crash, or by a server on another machine or in another container. */
  readonly stalePidFile: boolean;
  /**
   * The process that postmaster.pid names has ended, but its parent has not collected it. PostgreSQL takes it for alive and
   * refuses to start until then (CreateLockFile, src/backend/utils/init/miscinit.c).
   */
  readonly uncollected: boolean;
}

interface PidFile {
  readonly pid: number;
  readonly port: number | undefined;
  readonly socketDir: string | undefined;
  readonly status: PostmasterStatus;
}

/**
 * Reads postmaster.pid and compares it with the live processes. The id alone proves nothing, because ids are given out
 * again: the process must work in this directory, or, where the system does not let us look, be a PostgreSQL server.
 * Rejects with `FILE_UNREADABLE` when it cannot be told.
 */
export async function readClusterState(dataDir: string): Promise<ClusterState> {
  const directory = await realPathIfPresent(dataDir).catch((cause: unknown) => {
    throw unreadable(dataDir, cause);
  });
  if (directory === undefined)
    return {
      running: false,
      pid: undefined,
      status: "unknown",
      port: undefined,
      socketDir: undefined,
      orphans: [],
      stalePidFile: false,
      uncollected: false,
    };
  const file = await readPidFile(directory);
  const postmaster = file !== undefined && (await isThisServer(file.pid, directory)) ? file : undefined;
  const orphans = postmaster === undefined ? (await processesIn(directory)).map(({ pid }) => pid) : [];
  return {
    running: postmaster !== undefined || orphans.length > 0,
    pid: postmaster?.pid,
    status: postmaster?.status ?? "unknown",
    port: postmaster?.port,
    socketDir: postmaster?.socketDir,
    orphans,
    stalePidFile: file !== undefined && postmaster === undefined,
    uncollected: file !== undefined && postmaster === undefined && (await isUncollected(file.pid)),
  };
}

/** Whether a postmaster, or a process that one left behind, works in the data directory. */
export async function isClusterRunning(dataDir: string): Promise<boolean> {
  return (await readClusterState(dataDir)).running;
}

async function isThisServer(pid: number, directory: string): Promise<boolean> {
  const found = await findProcess(pid);
  if (found === undefined) return false;
  /* v8 ignore next -- root, who may run the tests, sees where every process works */
  return (await worksIn(found, directory)) ?? isServerName(found.name);
}

async function readPidFile(dataDir: string): Promise<PidFile | undefined> {
  const text = await readTextIfPresent(join(dataDir, "postmaster.pid")).catch((cause: unknown) => {
    throw unreadable(dataDir, cause);
  });
  return text === undefined ? undefined : parsePidFile(text);
}

/** Lines: pid, data directory, start time, port, socket directory, listen address, shared memory key, status. */
function parsePidFile(text: string): PidFile | undefined {
  const [pidLine = "", , , port = "", socketDir = "", , , status = ""] = text.split("\n").map((line) => line.trim());
  // A standalone backend (postgres --single) writes its id negated.
  const pid = Math.abs(Number(pidLine));
  if (!Number.isInteger(pid) || pid === 0) return undefined;
  const known = (["starting", "stopping", "ready", "standby"] as const).find((one) => one === status);
  return {
    pid,
    port: port === "" ? undefined : Number(port),
    socketDir: socketDir === "" ? undefined : socketDir,
    status: known ?? "unknown",
  };
}

function unreadable(dataDir: string, cause: unknown): SoarError {
  return new SoarError("FILE_UNREADABLE", `unable to tell whether a server runs on '${dataDir}': ${messageOf(cause)}`, {
    hint: "Run this as root or as the user that owns the data directory.",
    cause,
  });
}
