import { availableParallelism } from "node:os";
import { defineCommand, openConfiguredStore } from "@soar/app-kit";
import { runArchiver } from "@soar/archive";
import { daemonOptions } from "../options.ts";
import { socketPath } from "../socket-path.ts";
import { bindingOf } from "./binding.ts";
import { reportTo } from "./report-events.ts";
import { connectServiceManager } from "./service-manager.ts";

/** One request to the store, with its retries: short, because the archiver itself goes on for ever, in order. */
const CALL_RETRY = { deadlineMs: 10_000, maxDelayMs: 1_000 };

/** The resident archiver. */
export const daemon = defineCommand({
  name: "daemon",
  summary: "Run the resident archiver: archives segments before PostgreSQL asks for them.",
  description:
    "Looks ahead in pg_wal/archive_status and archives several files at once; archive_command then costs milliseconds. Run it as the server's user. It may be stopped, killed and started at any moment: archive_command does the work itself meanwhile.",
  options: daemonOptions,
  examples: [{ command: "soar-wal-archive daemon --data-dir /var/lib/postgresql/15/main", explanation: "in the foreground; as a service it tells systemd when it is ready" }],
  logFile: "optional",
  async run({ config, log, signal, app, envFile }) {
    const service = connectServiceManager(process.env, log);
    const store = await openConfiguredStore(config, { log, overrides: { retry: { ...CALL_RETRY, deadlineMs: Math.min(CALL_RETRY.deadlineMs, config.archiveTimeoutMs) } } });
    try {
      await runArchiver(store, {
        dataDir: config.dataDir,
        spoolDir: config.spool,
        socketPath: socketPath(config),
        binding: await bindingOf(config, envFile),
        logsArchive: config.logArchive,
        codec: config.walCompression,
        jobs: config.jobs,
        workers: Math.min(config.jobs, availableParallelism()),
        timeoutMs: config.archiveTimeoutMs,
        toolVersion: `${app.name} ${app.version}`,
        onEvent: reportTo(log),
        onReady({ queue }) {
          const text = `archiving ${config.dataDir} to ${store.location}`;
          log.info(`${text}; ${queue.state.pending.length} files wait`);
          service.ready(text);
          service.watch(() => !signal.aborted);
        },
        signal,
      });
      service.stopping();
      log.info("stopped");
    } finally {
      service.close();
      await store.close();
    }
  },
});
