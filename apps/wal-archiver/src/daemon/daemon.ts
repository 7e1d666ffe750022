import { abandonThreads, defineCommand, endWithin, openConfiguredStore } from "@soar/app-kit";
import { openStatistics } from "@soar/archive/status";
import { SoarError } from "@soar/errors";
import { daemonOptions } from "../options.ts";
import { bindingOf } from "../binding.ts";
import { runResident } from "./run-resident.ts";
import { connectServiceManager } from "./service-manager.ts";

/** One request to the store, with its retries: short, because the archiver itself goes on for ever, in order. */
const CALL_RETRY = { deadlineMs: 10_000, maxDelayMs: 1_000 };

/** What is in flight gets 5 s; the service manager kills after 30 s. */
const STOP_WITHIN_MS = 15_000;

/** The resident archiver. */
export const daemon = defineCommand({
  name: "daemon",
  summary:
    "Run the resident archiver: archives segments before PostgreSQL asks for them, and ships the unfinished one.",
  description:
    "Looks ahead in pg_wal/archive_status and archives several files at once; archive_command then costs milliseconds. Ships the tail of the unfinished segment over a replication connection, so that losing the machine loses about a second of commits.\n\nRun it as the server's user. It may be stopped, killed and started at any moment: archive_command does the work itself meanwhile.",
  options: daemonOptions,
  examples: [
    {
      command: "soar-wal-archive daemon --data-dir /var/lib/postgresql/15/main",
      explanation: "in the foreground; as a service it tells systemd when it is ready",
    },
  ],
  logFile: "optional",
  async run({ config, log, signal, app, envFile }) {
    if (config.synchronous && config.tailIntervalMs === "off") {
      throw new SoarError(
        "CONFIG_INVALID",
        "unable to confirm commits without shipping the tail: --synchronous is given and --tail-interval is off",
        { hint: "Leave one of the two out." },
      );
    }
    const service = connectServiceManager(process.env, log);
    const deadlineMs = Math.min(CALL_RETRY.deadlineMs, config.archiveTimeoutMs);
    const statistics = await openStatistics(config.spool);
    const store = await openConfiguredStore(config, {
      log,
      envFile,
      onEvent: (event) => statistics.count(event),
      overrides: { retry: { ...CALL_RETRY, deadlineMs } },
    });
    try {
      const binding = await bindingOf(config, envFile);
      const toolVersion = `${app.name} ${app.version}`;
      const work = runResident(store, config, { binding, statistics, log, signal, service, toolVersion });
      await endWithin(work, { signal, graceMs: STOP_WITHIN_MS, suspect: `the file system of '${config.dataDir}'` });
      if (config.synchronous)
        log.warn("stopped; where synchronous_standby_names = 'soar', commits wait until it is started again");
      else log.info("stopped");
    } finally {
      service.close();
      await store.close();
      // All that is ours has ended. A caller's directory may be looked up for ever.
      abandonThreads();
    }
  },
});
