import { setTimeout as delay } from "node:timers/promises";
import {
  readClusterState,
  readDeath,
  type ServerDeath,
  startCluster,
  type StartedCluster,
} from "@soar/pg-tools/cluster";
import { hasErrorCode, SoarError } from "@soar/errors";
import type { ConfigChoice } from "../server-config/config-choice.ts";
import { requireCommand, type Environment } from "../server-control/run-command.ts";
import { controlCommand, type ServerControl } from "../server-control/server-control.ts";
import type { Owner } from "@soar/durable-files";
import { findServerLog } from "./server-log-place.ts";

export interface StartServerOptions {
  readonly dataDir: string;
  readonly binDir: string;
  readonly owner?: Owner | undefined;
  readonly config: ConfigChoice;
  readonly port?: number | undefined;
  /** Of the server and of its archive_command, where no service gives one. */
  readonly env: Environment;
  readonly systemEnv: Environment;
  readonly signal?: AbortSignal | undefined;
  /** For a failure: what it is called, and what else is to be said. That of a restore unless said otherwise. */
  readonly words?: ServerWords | undefined;
}

interface ServerWords {
  readonly server: string;
  readonly hint: string;
}

const RESTORED: ServerWords = {
  server: "the restored server",
  hint: "Recovery is over and proved; when the reason is gone, give the same command again.",
};

const READY_TIMEOUT_MS = 10 * 60_000;

/**
 * Starts the server as it is started every day, with its own settings, and waits until it takes connections. Does nothing
 * when it runs already. Resolves to the file that gets its log, undefined when that is the business of a service.
 */
export async function startServer(control: ServerControl, options: StartServerOptions): Promise<string | undefined> {
  const { dataDir, words = RESTORED } = options;
  const printed = control.kind === "pg_ctl" ? `${dataDir}.log` : undefined;
  if (!(await readClusterState(dataDir)).running) {
    if (printed === undefined) await requireCommand(controlCommand(control, "start", dataDir), options.systemEnv);
    const log = printed === undefined ? undefined : await startPlainly(printed, { ...options, words });
    await waitUntilReady({ ...options, words, log });
  }
  return printed === undefined ? undefined : await findServerLog({ ...options, printed });
}

interface Started extends StartServerOptions {
  readonly words: ServerWords;
}

async function startPlainly(logFile: string, started: Started): Promise<StartedCluster> {
  const { dataDir, binDir, owner, config, port, env, signal, words } = started;
  const settings = { ...config.settings, ...(port === undefined ? {} : { port: String(port) }) };
  return await startCluster({
    binDir,
    dataDir,
    owner,
    configFile: config.configFile,
    settings,
    env,
    logFile,
    logging: "own",
    signal,
  }).catch(async (error: unknown) => {
    if (!hasErrorCode(error, "SERVER_START_FAILED", "RECOVERY_FAILED")) throw error;
    throw new SoarError(error.code, error.message, {
      hint: `${await readItsLog(logFile, started)} ${words.hint}`.trimEnd(),
      cause: error,
    });
  });
}

/** One that dies early has said why before its collector ran, or to it. */
async function readItsLog(printed: string, options: Pick<Started, "dataDir" | "binDir" | "config">): Promise<string> {
  const log = await findServerLog({ ...options, printed });
  const places = [...new Set([printed, log ?? "the system's log"])].map((place) =>
    place.startsWith("/") ? `'${place}'` : place,
  );
  return `Read its log in ${places.join(" and in ")}.`;
}

interface Waiting extends Pick<Started, "dataDir" | "binDir" | "config" | "signal" | "words"> {
  readonly log: StartedCluster | undefined;
}

/** What is known of a server whose log is the business of a service, or which has not ended. */
const UNTOLD: ServerDeath = { code: "SERVER_START_FAILED", lines: [] };

/** A service may have reported success before that. */
async function waitUntilReady(waiting: Waiting): Promise<void> {
  const { dataDir, signal, words, log } = waiting;
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const { running, status } = await readClusterState(dataDir);
    if (status === "ready") return;
    signal?.throwIfAborted();
    if (!running || performance.now() > deadline) {
      const fact = running ? "does not take connections" : "ended after it was started with its own settings";
      const { code, lines } = log === undefined ? UNTOLD : await readDeath({ ...log, inOwnRight: true });
      throw new SoarError(
        running ? UNTOLD.code : code,
        `${words.server} of '${dataDir}' ${[fact, ...lines].join("; ")}`,
        {
          hint: `${log === undefined ? "Read the server's log." : await readItsLog(log.logFile, waiting)} ${words.hint}`.trimEnd(),
        },
      );
    }
    await delay(50);
  }
}
