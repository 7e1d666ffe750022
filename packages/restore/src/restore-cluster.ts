import { rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { findPostgresPrograms, parseLsn, type RecoveryEvent, type RecoveryOutcome } from "@soar/pg-tools";
import { createCodecPool } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { chownTree } from "./chown-tree.ts";
import { createDataDirectory, RESTORE_STATE_DIRECTORY } from "./data-directory.ts";
import { chooseApproach, type Approach } from "./delta/approach.ts";
import { holdControlFile } from "./delta/hold-control-file.ts";
import { ownTablespaces } from "./delta/own-tablespaces.ts";
import { requireRoom } from "./delta/require-room.ts";
import { saveUnarchivedWal } from "./delta/save-wal.ts";
import { fetchBackup } from "./fetch-backup.ts";
import { fenceClone } from "./fence.ts";
import { formatLineageTable, lineageTableOf, type LineageTable } from "./lineage-table.ts";
import { followRecovery, prepareRecovery, recover } from "./recover.ts";
import { restoreCommand } from "./restore-command.ts";
import type { RestorePlan } from "./restore-plan.ts";
import { chooseConfigFile, type ConfigChoice } from "./server-files.ts";
import { openSpool, type SpoolEvent } from "./spool/open-spool.ts";
import { segmentsReadTwice } from "./spool/read-twice.ts";
import { segmentsUntil } from "./segments-until.ts";
import { processStart } from "./status/process-start.ts";
import { RecordKeeper } from "./status/record-keeper.ts";
import { plannedRecord, type RestoreRecord } from "./status/restore-record.ts";
import { placeTablespaces } from "./tablespaces.ts";
import { writeDurably } from "./write-durably.ts";

export interface RestoreOptions {
  /** Absolute path of the data directory to fill: absent, empty, or what an interrupted restore left. */
  readonly dataDir: string;
  /** Whether it may also be another state of the same cluster, of which only what differs is fetched. Its files are overwritten. */
  readonly delta?: boolean | undefined;
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
  /** Where WAL lies that a directory which was overwritten had not archived. */
  readonly savedWal: string | undefined;
  readonly fetchMs: number;
  readonly recoverMs: number;
}

export interface CheckedRestore {
  readonly binDir: string;
  readonly tablespaces: ReadonlyMap<number, string>;
  /** The cluster takes the place of the lost one. Everything else is a copy. */
  readonly inPlace: boolean;
  readonly approach: Approach;
}

/** Everything that can be found out before anything is touched, beside what the plan proves. Rejects with the first obstacle. */
export async function checkRestore(plan: RestorePlan, options: Pick<RestoreOptions, "dataDir" | "tablespaceMap" | "binDirs" | "delta">): Promise<CheckedRestore> {
  const { dataDir, delta = false } = options;
  const approach = await chooseApproach(plan, { dataDir, delta });
  const tablespaces = await placeTablespaces(plan.backup, options.tablespaceMap ?? new Map(), await ownTablespaces(dataDir, approach));
  const major = Math.floor(plan.backup.postgresVersion / 10_000);
  const { binDir } = await findPostgresPrograms({ major, searchPaths: options.binDirs });
  await requireRoom(plan, dataDir, approach);
  const inPlace = plan.backup.source.dataDirectory === dataDir && plan.backup.source.host === hostname();
  return { binDir, tablespaces, inPlace, approach };
}

/**
 * Carries a plan out: fetches the backup, replays to the target, and ends when the server takes writes. What was fetched
 * cannot be started until it is complete. A run that was interrupted, at whatever moment, goes on when it is called again
 * with the same plan.
 */
export async function restoreCluster(store: ObjectStore, plan: RestorePlan, options: RestoreOptions): Promise<RestoreReport> {
  const { dataDir } = options;
  const stateDir = join(dataDir, RESTORE_STATE_DIRECTORY);
  const checked = await checkRestore(plan, options);
  const run: Run = { ...options, ...checked, table: lineageTableOf(plan), planFile: join(stateDir, "lineage.json"), logFile: join(stateDir, "server.log"), fenced: !checked.inPlace };
  const keeper = await beginRecord(plan, run);
  const { value: savedWal, ms: fetchMs } = await timed(() => fetchPhase(store, plan, run, keeper));
  options.onEvent?.({ type: "phase", phase: "recover" });
  const { value: outcome, ms: recoverMs } = await timed(() => recoverPhase(store, plan, run, keeper));
  if (outcome.kind === "promoted") await removeState(stateDir, keeper);
  return { plan, outcome, dataDir, fenced: run.fenced, logFile: run.logFile, savedWal, fetchMs, recoverMs };
}

interface Run extends RestoreOptions, CheckedRestore {
  readonly table: LineageTable;
  readonly planFile: string;
  readonly logFile: string;
  readonly fenced: boolean;
}

async function beginRecord(plan: RestorePlan, { dataDir, owner, approach, tablespaces }: Run): Promise<RecordKeeper> {
  const earlier = approach.kind === "fill" ? undefined : approach.earlier;
  const ours = { processId: process.pid, processStart: (await processStart(process.pid)) ?? "", startedAt: new Date().toISOString() };
  const fresh: RestoreRecord = { format: 1, phase: "fetch", ...plannedRecord(plan), tablespaces: [...tablespaces], ...ours, logOffset: 0, fetchedBytes: 0, totalBytes: plan.fetchBytes.backup };
  const goesOn = approach.kind === "recover" || approach.kind === "follow";
  if (!goesOn) await createDataDirectory(dataDir);
  const keeper = new RecordKeeper(dataDir, goesOn && earlier !== undefined ? { ...earlier, ...ours } : fresh, owner);
  await keeper.note({});
  return keeper;
}

/** Until everything is in place for a server to be started; resolves to where WAL that was found was put aside. */
async function fetchPhase(store: ObjectStore, plan: RestorePlan, run: Run, keeper: RecordKeeper): Promise<string | undefined> {
  const { approach, dataDir, owner, planFile, signal, onEvent, tablespaces } = run;
  if (approach.kind === "recover" || approach.kind === "follow") return undefined;
  if (approach.kind === "refill") await holdControlFile(dataDir, approach);
  const savedWal = approach.kind === "refill" ? await saveUnarchivedWal(dataDir) : undefined;
  await writeDurably(planFile, [Buffer.from(formatLineageTable(run.table))]);
  onEvent?.({ type: "phase", phase: "fetch" });
  await fetchInto(store, plan, { ...run, keeper, beforeControlFile: async () => {
    if (run.fenced) await fenceClone(dataDir);
    await chooseConfigFile(store, plan.backup, dataDir, { inPlace: run.inPlace, signal });
    await prepareRecovery(plan, { dataDir, action: run.action, restoreCommand: restoreCommand([...run.walFetchProgram, "--plan", planFile]) });
    if (owner !== undefined) await chownTree([dataDir, ...tablespaces.values()], owner);
    await keeper.note({ phase: "recover" });
  } });
  return savedWal;
}

async function fetchInto(store: ObjectStore, plan: RestorePlan, run: Run & { readonly keeper: RecordKeeper; readonly beforeControlFile: () => Promise<void> }): Promise<void> {
  const { dataDir, tablespaces, owner, jobs, signal, onEvent, keeper, beforeControlFile } = run;
  const pool = createCodecPool({ workers: jobs });
  const total = plan.fetchBytes.backup;
  const onProgress = (bytes: number): void => {
    keeper.progress(bytes);
    onEvent?.({ type: "fetched", bytes, total });
  };
  try {
    await fetchBackup(store, { backup: plan.backup, dataDir, tablespaces, owner, pool, jobs, signal, onProgress, beforeControlFile, refill: run.approach.kind === "refill" });
  } finally {
    await pool.close();
  }
}

async function recoverPhase(store: ObjectStore, plan: RestorePlan, run: Run, keeper: RecordKeeper): Promise<RecoveryOutcome> {
  const { dataDir, logFile, approach, owner } = run;
  if (approach.kind === "follow") return await followRecovery(plannedEarlier(plan, approach.earlier), { pid: approach.processId, dataDir, logFile, logOffset: approach.earlier.logOffset }, run);
  await keeper.note({ logOffset: await sizeOf(logFile) });
  const config = await chooseConfigFile(store, plan.backup, dataDir, { inPlace: run.inPlace, signal: run.signal });
  if (owner !== undefined) await chownTree([join(dataDir, RESTORE_STATE_DIRECTORY)], owner);
  return await recoverWithSpool(store, plan, { ...run, config });
}

/** The plan that the running server was started with. */
function plannedEarlier(plan: RestorePlan, { stopLsn }: RestoreRecord): RestorePlan {
  return { ...plan, resolved: { ...plan.resolved, stopLsn: parseLsn(stopLsn) } };
}

/** Replays, with this process fetching ahead. */
async function recoverWithSpool(store: ObjectStore, plan: RestorePlan, options: Run & { readonly config: ConfigChoice }): Promise<RecoveryOutcome> {
  const { dataDir, owner, jobs, signal, onEvent, config, port } = options;
  const observed = onEvent === undefined ? {} : { onEvent };
  const segments = segmentsUntil(plan.chain, plan.resolved.stopLsn);
  const spool = await openSpool(store, options.table, { dataDir, owner, jobs, names: segments.map(({ name }) => name), readTwice: segmentsReadTwice(plan, segments), signal, ...observed });
  try {
    return await recover(plan, {
      ...options,
      configFile: config.configFile,
      settings: { ...config.settings, ...recoveryLimits(plan, options), ...(port === undefined ? {} : { port: String(port) }) },
      restoreCommand: restoreCommand([...options.walFetchProgram, "--plan", options.planFile], spool),
    });
  } finally {
    await spool.close();
  }
}

/** What only an unfinished restore needs; the record last, because without it nobody goes on. */
async function removeState(stateDir: string, keeper: RecordKeeper): Promise<void> {
  for (const name of ["lineage.json", "spool", "pg_control.saved", "pg_control.dropped"]) await rm(join(stateDir, name), { recursive: true, force: true });
  await keeper.remove();
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return found?.size ?? 0;
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

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const begin = performance.now();
  const value = await work();
  return { value, ms: Math.round(performance.now() - begin) };
}
