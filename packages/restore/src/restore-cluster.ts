import { mkdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { findPostgresPrograms, type RecoveryEvent, type RecoveryOutcome } from "@soar/pg-tools";
import { createCodecPool } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { chownTree } from "./chown-tree.ts";
import { createDataDirectory, freeBytesAt, inspectDataDirectory, requireRestorable, RESTORE_STATE_DIRECTORY } from "./data-directory.ts";
import { fetchBackup } from "./fetch-backup.ts";
import { fenceClone } from "./fence.ts";
import { formatLineageTable, lineageTableOf, type LineageTable } from "./lineage-table.ts";
import { recover } from "./recover.ts";
import { restoreCommand } from "./restore-command.ts";
import type { RestorePlan } from "./restore-plan.ts";
import { chooseConfigFile, type ConfigChoice } from "./server-files.ts";
import { openSpool, type SpoolEvent } from "./spool/open-spool.ts";
import { segmentsReadTwice } from "./spool/read-twice.ts";
import { segmentsUntil } from "./segments-until.ts";
import { placeTablespaces } from "./tablespaces.ts";
import { writeDurably } from "./write-durably.ts";

export interface RestoreOptions {
  /** Absolute path of the data directory to fill: absent or empty. */
  readonly dataDir: string;
  /** New places of tablespaces, old path to new path. */
  readonly tablespaceMap?: ReadonlyMap<string, string>;
  /** Directories to look for PostgreSQL's programs in, before the usual ones. */
  readonly binDirs: readonly string[];
  /** Who runs the server and owns the files; needed when this runs as root and the parent directory belongs to root. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly jobs: number;
  /** Words of the command that runs `wal-fetch`, without the plan's path and the file's name. */
  readonly walFetchProgram: readonly string[];
  /** The whole environment of the server and of `wal-fetch`. */
  readonly env: Readonly<Record<string, string>>;
  readonly port?: number | undefined;
  readonly action: "promote" | "pause" | "shutdown";
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: (event: RestoreEvent) => void;
}

export type RestoreEvent =
  | { readonly type: "phase"; readonly phase: "fetch" | "recover" }
  | { readonly type: "fetched"; readonly bytes: number; readonly total: number }
  | SpoolEvent
  | RecoveryEvent;

export interface RestoreReport {
  readonly plan: RestorePlan;
  readonly outcome: RecoveryOutcome;
  readonly dataDir: string;
  /** A clone that may not archive into the repository it came from. */
  readonly fenced: boolean;
  readonly logFile: string;
  readonly fetchMs: number;
  readonly recoverMs: number;
}

/** Everything that can be found out before anything is touched, beside what the plan proves. Rejects with the first obstacle. */
export async function checkRestore(plan: RestorePlan, options: Pick<RestoreOptions, "dataDir" | "tablespaceMap" | "binDirs">): Promise<{ binDir: string; tablespaces: ReadonlyMap<number, string>; inPlace: boolean }> {
  const { dataDir } = options;
  requireRestorable(dataDir, await inspectDataDirectory(dataDir));
  const tablespaces = await placeTablespaces(plan.backup, options.tablespaceMap ?? new Map());
  const major = Math.floor(plan.backup.postgresVersion / 10_000);
  const { binDir } = await findPostgresPrograms({ major, searchPaths: options.binDirs });
  const free = await freeBytesAt(dataDir);
  if (free < plan.neededBytes) {
    throw new SoarError("DISK_FULL", `unable to restore into '${dataDir}': ${plan.neededBytes} bytes are needed there, ${free} are free`, {
      hint: "Free space, or name a directory on a larger file system with --data-dir. Nothing was changed.",
    });
  }
  // The same directory on the same host: the cluster takes the place of the lost one. Everything else is a copy.
  const inPlace = plan.backup.source.dataDirectory === dataDir && plan.backup.source.host === hostname();
  return { binDir, tablespaces, inPlace };
}

/**
 * Carries a plan out: fetches the backup, replays to the target, and ends when the server takes writes. Nothing that was
 * there before is touched; what was fetched cannot be started until it is complete.
 */
export async function restoreCluster(store: ObjectStore, plan: RestorePlan, options: RestoreOptions): Promise<RestoreReport> {
  const { dataDir, signal, onEvent } = options;
  const { binDir, tablespaces, inPlace } = await checkRestore(plan, options);
  const stateDir = join(dataDir, RESTORE_STATE_DIRECTORY);
  await createDataDirectory(dataDir);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const planFile = join(stateDir, "lineage.json");
  const table = lineageTableOf(plan.chain, plan.backup.systemIdentifier);
  await writeDurably(planFile, [Buffer.from(formatLineageTable(table))]);
  onEvent?.({ type: "phase", phase: "fetch" });
  const fetchMs = await timed(() => fetchInto(store, plan, { ...options, tablespaces }));
  const fenced = !inPlace;
  if (fenced) await fenceClone(dataDir);
  const config = await chooseConfigFile(store, plan.backup, dataDir, { inPlace, signal });
  if (options.owner !== undefined) await chownTree([dataDir, ...tablespaces.values()], options.owner);
  onEvent?.({ type: "phase", phase: "recover" });
  const logFile = join(stateDir, "server.log");
  let outcome: RecoveryOutcome | undefined;
  const recoverMs = await timed(async () => {
    outcome = await recoverWithSpool(store, plan, { ...options, binDir, config, logFile, planFile, table });
  });
  if (outcome === undefined) throw new Error("recovery neither ended nor failed");
  if (outcome.kind === "promoted") await rm(planFile);
  return { plan, outcome, dataDir, fenced, logFile, fetchMs, recoverMs };
}

interface RecoveryPlaces {
  readonly binDir: string;
  readonly config: ConfigChoice;
  readonly logFile: string;
  readonly planFile: string;
  readonly table: LineageTable;
}

/** Replays, with this process fetching ahead. */
async function recoverWithSpool(store: ObjectStore, plan: RestorePlan, options: RestoreOptions & RecoveryPlaces): Promise<RecoveryOutcome> {
  const { dataDir, owner, jobs, signal, onEvent, config, port } = options;
  const observed = onEvent === undefined ? {} : { onEvent };
  const segments = segmentsUntil(plan.chain, plan.resolved.stopLsn);
  const spool = await openSpool(store, options.table, { dataDir, owner, jobs, names: segments.map(({ name }) => name), readTwice: segmentsReadTwice(plan, segments), signal, ...observed });
  try {
    return await recover(plan, {
      dataDir,
      binDir: options.binDir,
      owner,
      configFile: config.configFile,
      settings: { ...config.settings, ...recoveryLimits(plan, options), ...(port === undefined ? {} : { port: String(port) }) },
      env: options.env,
      logFile: options.logFile,
      restoreCommand: restoreCommand([...options.walFetchProgram, "--plan", options.planFile], spool),
      action: options.action,
      signal,
      ...observed,
    });
  } finally {
    await spool.close();
  }
}

async function fetchInto(store: ObjectStore, plan: RestorePlan, options: RestoreOptions & { readonly tablespaces: ReadonlyMap<number, string> }): Promise<void> {
  const { dataDir, tablespaces, owner, jobs, signal, onEvent } = options;
  const pool = createCodecPool({ workers: jobs });
  try {
    const total = plan.fetchBytes.backup;
    await fetchBackup(store, { backup: plan.backup, dataDir, tablespaces, owner, pool, jobs, signal, onProgress: (bytes) => onEvent?.({ type: "fetched", bytes, total }) });
  } finally {
    await pool.close();
  }
}

/**
 * A hot standby refuses to begin, or stops in the middle of recovery, when these are smaller than the source had them at any
 * moment of the WAL (safety, trap 37), and settings on the command line would also win over larger ones in the files. So
 * nobody is let in before the end, unless the server is to pause there to be looked at. Prepared transactions need
 * their slots in any case.
 */
function recoveryLimits({ backup }: RestorePlan, { action }: Pick<RestoreOptions, "action">): Record<string, string> {
  const names = action === "pause" ? ["max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction"] : ["max_prepared_transactions"];
  const limits = Object.fromEntries(names.flatMap((name) => (backup.settings[name] === undefined ? [] : [[name, backup.settings[name]]])));
  return action === "pause" ? limits : { ...limits, hot_standby: "off" };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return Math.round(performance.now() - begin);
}
