import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openForAppend } from "@soar/durable-files";
import { hasErrorCode, SoarError } from "@soar/errors";
import { launchProgram, type LaunchedProgram } from "@soar/programs";
import { asOwner, type ClusterOwner, requireOwner } from "./cluster-owner.ts";
import { readClusterState } from "./cluster-state.ts";
import { deathError, readDeath } from "./server-death.ts";
import { CAPTURE_SETTINGS } from "./server-log.ts";

export interface StartClusterOptions {
  /** Directory of `postgres`, of the data directory's own major. */
  readonly binDir: string;
  readonly dataDir: string;
  /** Who runs it; the owner of the data directory unless said otherwise. */
  readonly owner?: ClusterOwner | undefined;
  /** Settings on the command line, which win over all files. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where postgresql.conf lies outside of the data directory, as on Debian. */
  readonly configFile?: string | undefined;
  /** Receives everything that the server and its commands print; created and appended to by us, and never through a link. */
  readonly logFile: string;
  /** `captured`, unless said otherwise: its log comes into `logFile` in the form that `waitForRecovery` reads. `own`: it logs as its files say. */
  readonly logging?: "captured" | "own" | undefined;
  /** The whole environment of the server and of its restore_command; PATH only unless given. */
  readonly env?: Readonly<Record<string, string>>;
  /** Until the server has started; 60 seconds unless said otherwise. Recovery takes its own time afterwards. */
  readonly timeoutMs?: number;
  /** `started`: it has locked the directory and runs; `accepting`: it also takes connections. */
  readonly until?: "started" | "accepting";
  readonly signal?: AbortSignal | undefined;
}

/** A server that was started here. It goes on when this process ends. */
export interface StartedCluster {
  readonly pid: number;
  readonly dataDir: string;
  readonly logFile: string;
  /** Where in the log file this start begins. */
  readonly logOffset: number;
}

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/**
 * Starts `postgres` as the owner of the data directory, with its log in `logFile`. That the server started says nothing
 * about recovery: see `waitForRecovery`. Rejects with `SERVER_RUNNING` when one runs already, `SERVER_START_FAILED` with
 * the fatal lines of the log when it ends or does not come up in time, `RECOVERY_FAILED` when recovery was over that soon.
 */
export async function startCluster(options: StartClusterOptions): Promise<StartedCluster> {
  const { dataDir, logFile } = options;
  if ((await readClusterState(dataDir)).running) {
    throw new SoarError("SERVER_RUNNING", `unable to start the server of '${dataDir}': it runs already`, {
      hint: `Stop it first, for example with "pg_ctl stop -D '${dataDir}'".`,
    });
  }
  const owner = options.owner ?? (await requireOwner(dataDir));
  await using log = await openForAppend(logFile, {
    mode: 0o640,
    hint: "Check owner and permissions of the directory; a server that is started writes its log there.",
  });
  const logOffset = (await log.stat()).size;
  const child = await launchServer(options, owner, log);
  await waitUntilUp(options, child, logOffset);
  return { pid: child.pid, dataDir, logFile, logOffset };
}

async function launchServer(
  options: StartClusterOptions,
  owner: ClusterOwner,
  log: FileHandle,
): Promise<LaunchedProgram> {
  const settings = Object.entries({
    ...(options.configFile === undefined ? {} : { config_file: options.configFile }),
    // The postgresql.conf of a copy may name the directory of its source, and would win over -D.
    data_directory: options.dataDir,
    ...(options.logging === "own" ? {} : CAPTURE_SETTINGS),
    ...options.settings,
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const command = await asOwner(owner, join(options.binDir, "postgres"), ["-D", options.dataDir, ...settings]);
  try {
    return await launchProgram(command.path, command.args, {
      owner: command.owner,
      env: options.env ?? { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
      printTo: log.fd,
    });
  } catch (error) {
    /* v8 ignore else -- root, who may run the tests, starts it by setpriv, which is there and tells a missing server by its status */
    if (!hasErrorCode(error, "PROGRAM_MISSING")) throw error;
    const hint = "Check the directory of the PostgreSQL programs.";
    throw new SoarError("PROGRAM_MISSING", error.message, { hint, cause: error });
  }
}

async function waitUntilUp(options: StartClusterOptions, child: LaunchedProgram, logOffset: number): Promise<void> {
  const deadline = performance.now() + (options.timeoutMs ?? START_TIMEOUT_MS);
  for (;;) {
    const state = await readClusterState(options.dataDir);
    const up = state.pid === child.pid && (options.until !== "accepting" || state.status === "ready");
    if (up) return;
    // On a busy machine recovery may be over, and the server shut down as its target action says, before anybody has looked.
    // One that could not start ends with 1.
    if (options.until !== "accepting" && child.ended()?.status === 0) return;
    const end = child.ended();
    if (end !== undefined) {
      const { logFile, logging } = options;
      const death = await readDeath({ pid: child.pid, logFile, logOffset, inOwnRight: logging === "own" });
      throw deathError(death, { ...options, how: end.how });
    }
    if (options.signal?.aborted === true || performance.now() > deadline) {
      process.kill(child.pid, "SIGINT");
      throw await startFailure(options, { pid: child.pid, logOffset });
    }
    await delay(POLL_MS);
  }
}

/** Of one that was there until now. */
async function startFailure(
  { dataDir, logFile, signal }: StartClusterOptions,
  server: Pick<StartedCluster, "pid" | "logOffset">,
): Promise<SoarError> {
  const { lines } = await readDeath({ ...server, logFile });
  const [code, fact] =
    signal?.aborted === true
      ? (["ABORTED", "stopped by the caller"] as const)
      : (["SERVER_START_FAILED", "it did not come up in time"] as const);
  return new SoarError(code, `unable to start the server of '${dataDir}': ${[fact, ...lines].join("; ")}`, {
    hint: `Read the server's log in '${logFile}'.`,
  });
}
