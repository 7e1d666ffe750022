import { availableParallelism } from "node:os";
import { serverConnection, type Config, type Log } from "@soar/app-kit";
import {
  createTailCleaner,
  isQueueBeyond,
  runTailShipper,
  type TailCleaner,
  type TailEvent,
  type TailPlace,
} from "@soar/archive/tail";
import { runArchiver, type ArchiverEvent, type RepositoryBinding, type RunningArchiver } from "@soar/archive/daemon";
import type { ArchiverStatistics } from "@soar/archive/status";
import type { ConnectionConfig } from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import type { daemonOptions } from "../options.ts";
import { socketPath } from "../socket-path.ts";
import { collectWhenIdle } from "./collect-when-idle.ts";
import { startMetricsServer } from "./metrics-server.ts";
import { saveStatistics } from "./save-statistics.ts";
import { reportTo } from "./report-events.ts";
import type { ServiceManager } from "./service-manager.ts";
import { watchArchiver, type ArchiverWatch } from "./watch-archiver.ts";

export interface ResidentOptions {
  readonly binding: RepositoryBinding;
  readonly statistics: ArchiverStatistics;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly service: ServiceManager;
  readonly toolVersion: string;
}

type ResidentConfig = Config<typeof daemonOptions>;

/** What the parts of the resident archiver share while they run. */
interface Resident extends ResidentOptions {
  readonly config: ResidentConfig;
  readonly report: ReturnType<typeof reportTo>;
  readonly cleaner: TailCleaner;
  readonly noteWork: () => void;
  /** Begun when the archiver is ready, and awaited at the end. */
  readonly others: Promise<void>[];
  watch: ArchiverWatch | undefined;
  /** End of what is in `tail/`. */
  tailLsn: bigint | undefined;
  /** Ends everything, with this reason. */
  readonly end: (reason: unknown) => void;
}

/**
 * Everything that the resident archiver does at once. Archiving is the heart: when it ends, all ends; what else fails for
 * good ends all too, because a service manager starts it again, and a silent half would be worse.
 */
export async function runResident(store: ObjectStore, config: ResidentConfig, options: ResidentOptions): Promise<void> {
  const { log, service } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const cleaner = createTailCleaner(store, {
    signal,
    onFailure: (name, error) => log.warn(`unable to remove the tail of '${name}': ${String(error)}`),
  });
  const resident: Resident = {
    ...options,
    signal,
    config,
    report: reportTo(log),
    cleaner,
    noteWork: collectWhenIdle(signal),
    others: [],
    watch: undefined,
    tailLsn: undefined,
    end: (reason) => ended.abort(reason),
  };
  try {
    await runArchiver(store, {
      ...archiverSettings(config),
      binding: options.binding,
      toolVersion: options.toolVersion,
      onEvent: (event) => note(resident, event),
      onReady: (running) => startOthers(store, resident, running),
      status: () => Promise.resolve(resident.watch?.status()),
      signal,
    });
  } finally {
    service.stopping();
    ended.abort();
    await Promise.all([...resident.others, cleaner.idle()]);
  }
}

function archiverSettings(config: ResidentConfig) {
  return {
    dataDir: config.dataDir,
    spoolDir: config.spool,
    socketPath: socketPath(config),
    logsArchive: config.logArchive,
    codec: config.walCompression,
    level: config.walCompressionLevel,
    jobs: config.jobs,
    workers: Math.min(config.jobs, availableParallelism()),
    timeoutMs: config.archiveTimeoutMs,
  };
}

/** Tells everybody who has to know of an event. */
function note(resident: Resident, event: ArchiverEvent | TailEvent): void {
  const { statistics, report, cleaner, watch } = resident;
  statistics.count(event);
  report(event);
  if (event.type === "tail-confirmed" || event.type === "tail-connected") watch?.commits.note(event);
  if (event.type === "archived") {
    cleaner.archived(event.name);
    resident.noteWork();
  }
  // A base backup ends with this file.
  if ((event.type === "archived" && event.name.endsWith(".backup")) || event.type === "given-up") watch?.expectNews();
  if (event.type === "tail-shipped" || event.type === "tail-found") resident.tailLsn = event.endLsn;
  if (event.type === "tail-shipped" || event.type === "tail-consolidated") cleaner.shipped(event.segmentName);
}

async function startOthers(store: ObjectStore, resident: Resident, running: RunningArchiver): Promise<void> {
  const { config, statistics, report, log, cleaner, others, service, signal } = resident;
  // What is stopped while it starts begins nothing more, and is not ready.
  if (signal.aborted) return;
  const server = serverConnection(config, { applicationName: "soar", log });
  const watch = await watchArchiver(store, {
    archiver: running,
    config,
    server,
    statistics,
    tailLsn: () => resident.tailLsn,
    tailRefusal: () => cleaner.refusal,
    onCommits: report,
    log,
    signal,
  });
  resident.watch = watch;
  const { status, isAlive } = watch;
  const metrics =
    config.listen === undefined ? undefined : await startMetricsServer(config.listen, { status, isAlive });
  if (metrics !== undefined) others.push(aborted(signal).then(() => metrics.close()));
  others.push(...watch.running, saveStatistics({ statistics, status, metricsFile: config.metricsFile, log, signal }));
  if (config.tailIntervalMs !== "off")
    others.push(shipTail(store, resident, { running, server, intervalMs: config.tailIntervalMs }));
  cleaner.sweep();
  // Anything of these that rejects ends the archiver.
  for (const other of others) other.catch(resident.end);
  if (signal.aborted) return;
  const text = `archiving ${config.dataDir} to ${store.location}`;
  log.info(`${text}; ${running.queue.state.pending.length} files wait`);
  service.ready(text);
  service.watch(() => !signal.aborted && isAlive());
}

/** Resolves when the signal has aborted, also before. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

interface ShipTailOptions {
  readonly running: RunningArchiver;
  readonly server: ConnectionConfig;
  readonly intervalMs: number;
}

function shipTail(
  store: ObjectStore,
  resident: Resident,
  { running, server, intervalMs }: ShipTailOptions,
): Promise<void> {
  const { cluster, queue } = running;
  return runTailShipper(store, {
    server,
    cluster,
    intervalMs,
    slot: resident.config.tailSlot,
    synchronous: resident.config.synchronous,
    isArchivedBefore: (place: TailPlace) => isQueueBeyond(queue.state, place, cluster.walSegmentSize),
    onEvent: (event) => note(resident, event),
    signal: resident.signal,
  });
}
