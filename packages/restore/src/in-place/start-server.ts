import { setTimeout as delay } from "node:timers/promises";
import { readClusterState, readFatalLines, startCluster, type StartedCluster } from "@soar/pg-tools/cluster";
import { hasErrorCode, SoarError } from "@soar/errors";
import type { ConfigChoice } from "../server-config/config-choice.ts";
import { requireCommand, type Environment } from "../server-control/run-command.ts";
import { controlCommand, type ServerControl } from "../server-control/server-control.ts";
import type { Owner } from "@soar/durable-files";

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
}

const READY_TIMEOUT_MS = 10 * 60_000;

/**
 * Starts the server as it is started every day, with its own settings, and waits until it takes connections. Does nothing
 * when it runs already. Resolves to the file that gets its log, undefined when that is the business of a service.
 */
export async function startServer(control: ServerControl, options: StartServerOptions): Promise<string | undefined> {
  const { dataDir } = options;
  const logFile = control.kind === "pg_ctl" ? `${dataDir}.log` : undefined;
  if ((await readClusterState(dataDir)).running) return logFile;
  if (logFile === undefined) {
    await requireCommand(controlCommand(control, "start", dataDir), options.systemEnv);
    await waitUntilReady(dataDir, options.signal, undefined);
  } else {
    const { logOffset } = await startPlainly(logFile, options);
    await waitUntilReady(dataDir, options.signal, { logFile, logOffset });
  }
  return logFile;
}

const AGAIN = "Recovery is over and proved; when the reason is gone, give the same command again.";

async function startPlainly(
  logFile: string,
  { dataDir, binDir, owner, config, port, env, signal }: StartServerOptions,
): Promise<Pick<StartedCluster, "logOffset">> {
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
  }).catch((error: unknown) => {
    if (!hasErrorCode(error, "SERVER_START_FAILED")) throw error;
    throw new SoarError(error.code, error.message, { hint: `Read its log in '${logFile}'. ${AGAIN}`, cause: error });
  });
}

/** A service may have reported success before that. */
async function waitUntilReady(
  dataDir: string,
  signal: AbortSignal | undefined,
  log: { readonly logFile: string; readonly logOffset: number } | undefined,
): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const { running, status } = await readClusterState(dataDir);
    if (status === "ready") return;
    signal?.throwIfAborted();
    if (!running || performance.now() > deadline) {
      const fact = running ? "does not take connections" : "ended after it was started with its own settings";
      const reasons = log === undefined ? [] : await readFatalLines(log.logFile, log.logOffset);
      throw new SoarError(
        "SERVER_START_FAILED",
        `the restored server of '${dataDir}' ${[fact, ...reasons].join("; ")}`,
        { hint: `Read ${log === undefined ? "the server's log" : `its log in '${log.logFile}'`}. ${AGAIN}` },
      );
    }
    await delay(50);
  }
}
