import { availableParallelism } from "node:os";
import { serverConnection, type Config, type Log } from "@soar/app-kit";
import {
  createTailCleaner,
  isQueueBeyond,
  runArchiver,
  runTailShipper,
  type ArchiverEvent,
  type ArchiverStatistics,
  type RepositoryBinding,
  type RunningArchiver,
  type TailEvent,
  type TailPlace,
} from "@soar/archive";
import type { ObjectStore } from "@soar/storage";
import type { daemonOptions } from "../options.ts";
import { socketPath } from "../socket-path.ts";
import { startMetricsServer } from "./metrics-server.ts";
import { publish } from "./publish.ts";
import { reportTo } from "./report-events.ts";
import type { ServiceManager } from "./service-manager.ts";
import { watchTruth, type Truth } from "./watch-truth.ts";

export interface ResidentOptions {
  readonly binding: RepositoryBinding;
  readonly statistics: ArchiverStatistics;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly service: ServiceManager;
  readonly toolVersion: string;
}

/**
 * Everything that the resident archiver does at once. Archiving is the heart: when it ends, all ends; what else fails for
 * good ends all too, because a service manager starts it again, and a silent half would be worse.
 */
export async function runResident(
  store: ObjectStore,
  config: Config<typeof daemonOptions>,
  options: ResidentOptions,
): Promise<void> {
  const { binding, statistics, log, service, toolVersion } = options;
  const { synchronous, tailIntervalMs: intervalMs } = config;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const report = reportTo(log);
  const cleaner = createTailCleaner(store, {
    signal,
    onFailure: (name, error) => log.warn(`unable to remove the tail of '${name}': ${String(error)}`),
  });
  let tailLsn: bigint | undefined;
  const onEvent = (event: ArchiverEvent | TailEvent): void => {
    statistics.count(event);
    report(event);
    if (event.type === "tail-confirmed" || event.type === "tail-connected") truth?.commits.note(event);
    if (event.type === "archived") cleaner.archived(event.name);
    // A base backup ends with this file.
    if ((event.type === "archived" && event.name.endsWith(".backup")) || event.type === "given-up") truth?.expectNews();
    if (event.type === "tail-shipped") tailLsn = event.endLsn;
    if (event.type === "tail-shipped" || event.type === "tail-consolidated") cleaner.shipped(event.segmentName);
  };
  const others: Promise<void>[] = [];
  let truth: Truth | undefined;
  const startOthers = async (running: RunningArchiver): Promise<void> => {
    const [server, { cluster }] = [serverConnection(config, { applicationName: "soar", log }), running];
    const isArchivedBefore = (place: TailPlace): boolean =>
      isQueueBeyond(running.queue.state, place, cluster.walSegmentSize);
    truth = await watchTruth(store, {
      archiver: running,
      config,
      server,
      statistics,
      tailLsn: () => tailLsn,
      onCommits: report,
      log,
      signal,
    });
    const { status, isAlive } = truth;
    const metrics =
      config.listen === undefined ? undefined : await startMetricsServer(config.listen, { status, isAlive });
    if (metrics !== undefined) signal.addEventListener("abort", () => void metrics.close(), { once: true });
    others.push(...truth.running, publish({ statistics, status, metricsFile: config.metricsFile, log, signal }));
    if (intervalMs !== "off")
      others.push(
        runTailShipper(store, {
          server,
          cluster,
          intervalMs,
          slot: config.tailSlot,
          synchronous,
          isArchivedBefore,
          onEvent,
          signal,
        }),
      );
    cleaner.sweep();
    // Anything of these that rejects ends the archiver below.
    for (const other of others) other.catch((error: unknown) => ended.abort(error));
    const text = `archiving ${config.dataDir} to ${store.location}`;
    log.info(`${text}; ${running.queue.state.pending.length} files wait`);
    service.ready(text);
    service.watch(() => !signal.aborted && isAlive());
  };
  const {
    jobs,
    dataDir,
    spool: spoolDir,
    archiveTimeoutMs: timeoutMs,
    logArchive: logsArchive,
    walCompression: codec,
  } = config;
  const workers = Math.min(jobs, availableParallelism());
  const status = (): Promise<unknown> => Promise.resolve(truth?.status());
  try {
    await runArchiver(store, {
      dataDir,
      spoolDir,
      socketPath: socketPath(config),
      binding,
      logsArchive,
      codec,
      jobs,
      workers,
      timeoutMs,
      toolVersion,
      onEvent,
      onReady: startOthers,
      status,
      signal,
    });
  } finally {
    service.stopping();
    ended.abort();
    await Promise.all([...others, cleaner.idle()]);
  }
}
