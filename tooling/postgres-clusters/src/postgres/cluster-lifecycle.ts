import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "./cluster-options.ts";
import { settingLines } from "./initialize.ts";
import {
  findPostmaster,
  killPostmaster,
  signal,
  startPostmaster,
  type StartPostmaster,
  waitForEnd,
} from "./postmaster.ts";

/** Starts, stops and changes the server of one data directory. */
export interface ClusterLifecycle {
  /** Starts the server and waits until it accepts connections, in recovery too. Throws with its log if it ends first. */
  start(options?: { readonly args?: readonly string[]; readonly untilReady?: boolean }): Promise<void>;
  /** Stops the server, whoever started it, and waits for its end. Does nothing when none runs. */
  stop(mode?: "fast" | "immediate" | "smart"): Promise<void>;
  /** SIGKILL to the server and all its processes at once. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Appends to postgresql.conf and, if the server runs, makes it read that. */
  configure(settings: Settings): Promise<void>;
  /** Process id of the running server, whoever started it. */
  pid(): number | undefined;
}

const STOP_SIGNALS = { smart: "SIGTERM", fast: "SIGINT", immediate: "SIGQUIT" } as const;

/** Acts on whatever server runs on the directory, also on one that the tool under test has started. */
export function createLifecycle(dataDir: string, start: ClusterLifecycle["start"]): ClusterLifecycle {
  const pid = (): number | undefined => findPostmaster(dataDir)?.pid;
  const stop = async (mode: keyof typeof STOP_SIGNALS = "fast"): Promise<void> => {
    const running = pid();
    if (running === undefined) return;
    signal(running, STOP_SIGNALS[mode]);
    await waitForEnd(running);
  };
  return {
    pid,
    start,
    stop,
    async kill() {
      const running = pid();
      if (running !== undefined) await killPostmaster(running);
    },
    async restart() {
      await stop();
      await start();
    },
    async configure(settings) {
      await appendFile(join(dataDir, "postgresql.conf"), settingLines(settings));
      const running = pid();
      if (running !== undefined) signal(running, "SIGHUP");
    },
  };
}

const START_ATTEMPTS = 5;

/** Another process may hold the port for a moment: an outgoing connection was given it, or a killed server's still closes. */
export async function startOnItsPort(options: StartPostmaster): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const before = (await readFile(options.logFile, "utf8").catch(emptyIfMissing)).length;
    try {
      await startPostmaster(options);
      return;
    } catch (error) {
      const fresh = (await readFile(options.logFile, "utf8")).slice(before);
      if (attempt === START_ATTEMPTS || !fresh.includes("Address already in use")) throw error;
      await delay(200 * attempt);
    }
  }
}

function emptyIfMissing(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
