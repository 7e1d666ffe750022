import { join } from "node:path";
import { readIfPresent } from "@soar/durable-files";
import { readClusterState, stopCluster } from "@soar/pg-tools/cluster";
import type { ObjectStore } from "@soar/storage";
import { hasErrorCode, isSoarError, messageOf, SoarError } from "@soar/errors";
import { archiveLocalWal, type ArchivedLocalWal } from "./archive-wal/archive-local-wal.ts";
import { isAllStored, requireAllStored } from "./archive-wal/require-all-stored.ts";
import { walToArchive, type LocalWalFile } from "./archive-wal/wal-to-archive.ts";
import { controlOf } from "./check-restore.ts";
import { requireWritten } from "./go-on/check-there.ts";
import type { Run } from "./run/restore-run.ts";
import type { RestorePlan } from "./plan/plan.ts";
import { chooseConfigFile } from "./server-config/config-choice.ts";
import { endRestore } from "./status/end-restore.ts";
import { suitToHost } from "./server-config/host-settings.ts";
import { surveyFiles } from "./status/left-files.ts";
import type { ServerControl } from "./server-control/server-control.ts";
import { controlUnits } from "./server-control/systemd.ts";
import { removePrivateDirectory } from "./recover/private-access.ts";
import { startServer } from "./in-place/start-server.ts";

export interface Finished {
  readonly control: ServerControl;
  readonly logFile: string | undefined;
  readonly startedServices: readonly string[];
  /** Whether the files were looked at when no server had pages in memory. */
  readonly isWritten: boolean;
  readonly localWal: ArchivedLocalWal | undefined;
}

/**
 * After promotion: stops the server that nobody could reach, starts it with its own settings by whoever runs it every day,
 * starts the applications, stores WAL that only this machine has, and removes what only the restore needed. Every step may
 * be done again after an interruption; the record of the restore goes last.
 */
export async function finishRestore(store: ObjectStore, plan: RestorePlan, run: Run): Promise<Finished> {
  if (run.approach.kind === "opened") return await finishOpened(store, plan, run);
  const { dataDir, tablespaces, onEvent, keeper } = run;
  onEvent?.({ type: "phase", phase: "finish" });
  // From here on a server may write there without this run.
  await keeper.note({ left: undefined });
  try {
    return await storeAndEnd(run, await handOver(store, plan, run));
  } catch (error) {
    // Damage that was found is none that the next run may take for what was left.
    if (hasErrorCode(error, "DIRECTORY_NOT_EMPTY")) await keeper.note({ damage: messageOf(error) });
    else if (!(await readClusterState(dataDir)).running) {
      // Without it the next run believes the server; the reason why this one ended is what the operator has to hear.
      const left = await surveyFiles({ dataDir, tablespaces: tablespaces.values() }).catch(() => undefined);
      await keeper.note({ left });
    }
    throw error;
  }
}

/** What the server is when it was handed over. */
type HandedOver = Omit<Finished, "localWal">;

/**
 * After an interruption behind the start of the server. One that does not run is started, as clients expect; when it does not
 * start, everything is stored all the same. The record stays then: without it the same command would overwrite what clients
 * have written.
 */
async function finishOpened(store: ObjectStore, plan: RestorePlan, run: Run): Promise<Finished> {
  const { dataDir, keeper } = run;
  let failure: unknown;
  let server: HandedOver | undefined;
  try {
    if ((await readClusterState(dataDir)).running) {
      const startedServices = await openEntrances(run, keeper.record.privateDir);
      server = {
        control: await controlOf(plan, run, run.inPlace),
        logFile: undefined,
        startedServices,
        isWritten: false,
      };
    } else server = await handOver(store, plan, run);
  } catch (error) {
    run.signal?.throwIfAborted();
    failure = error;
  }
  if (server !== undefined) return await storeAndEnd(run, server);
  throw withWalFact(failure, run, await storeLocalWal(run));
}

function withWalFact(failure: unknown, { dataDir }: Run, localWal: ArchivedLocalWal | undefined): SoarError {
  const [first] = localWal?.left ?? [];
  const fact =
    first !== undefined
      ? `; WAL from ${first.file} on is not in the repository: ${localWal?.reason}`
      : localWal === undefined
        ? ""
        : "; WAL that only this machine had is in the repository";
  return new SoarError(isSoarError(failure) ? failure.code : "SERVER_START_FAILED", `${messageOf(failure)}${fact}`, {
    cause: failure,
    hint: `The server was opened before, and its data is left alone. When the reason is gone, give the same command again. To restore once more in its place: soar-restore forget --data-dir ${dataDir}, then the command.`,
  });
}

/** What could not be stored is in no repository: the restore is not over before it is there, and nothing of it is discarded. */
async function storeAndEnd(run: Run, server: HandedOver): Promise<Finished> {
  const localWal = await storeLocalWal(run);
  // Nothing else was left to do to a run that finds its server opened.
  if (run.approach.kind === "opened") requireAllStored(run.dataDir, localWal);
  if (isAllStored(localWal)) await endRestore(run);
  return { ...server, localWal };
}

async function handOver(store: ObjectStore, plan: RestorePlan, run: Run): Promise<HandedOver> {
  const { dataDir, onEvent, signal, keeper } = run;
  const { privateDir } = keeper.record;
  const { socketDir } = await readClusterState(dataDir);
  const isStopped = socketDir === undefined || socketDir === privateDir || privateDir === undefined;
  let isWritten = false;
  if (isStopped) {
    await stopCluster({ dataDir, mode: "fast", signal });
    isWritten = await requireWritten(run.doubts, run);
  }
  const config = await chooseConfigFile(store, plan.backup, dataDir, run);
  if (isStopped) await suitToHost({ ...run, configFile: config.configFile });
  // Known only now where its configuration came back with the restore.
  const control = await controlOf(plan, run, run.inPlace);
  // From the first client on nothing of it may be overwritten or put aside by the same command, whatever ends this one.
  const logFile = await openedBy(run, control, () => startServer(control, { ...run, config }));
  onEvent?.({
    type: "done",
    text: `started the server of ${dataDir} with its own settings${control.kind === "systemd" ? ` as ${control.unit}` : ""}`,
  });
  const startedServices = await openEntrances(run, privateDir);
  return { control, logFile, startedServices, isWritten };
}

/**
 * Notes that the server is opened before `start` may do it. Where nothing came of it, it is as it was: a server that has
 * ended, that nobody but this run starts, and that has not even noted that it was in production (StartupXLOG does so before it
 * lets anybody in).
 */
async function openedBy<T>(
  { dataDir, keeper, approach, signal }: Run,
  { kind }: ServerControl,
  start: () => Promise<T>,
): Promise<T> {
  // A service manager may try again later.
  const isOurs = kind === "pg_ctl" && approach.kind !== "opened";
  const before = await readControl(dataDir);
  await keeper.note({ phase: "opened", damage: undefined });
  try {
    return await start();
  } catch (error) {
    const isAsItWas = async (): Promise<boolean> =>
      before !== undefined &&
      !(await readClusterState(dataDir)).running &&
      (await readControl(dataDir))?.equals(before) === true;
    if (isOurs && signal?.aborted !== true && (await isAsItWas())) await keeper.note({ phase: "finish" });
    throw error;
  }
}

async function readControl(dataDir: string): Promise<Buffer | undefined> {
  return await readIfPresent(join(dataDir, "global", "pg_control"));
}

async function openEntrances(run: Run, privateDir: string | undefined): Promise<readonly string[]> {
  const startedServices = run.canControlServices ? (run.appServices ?? []) : [];
  await controlUnits("start", startedServices, run.systemEnv);
  if (startedServices.length > 0) run.onEvent?.({ type: "done", text: `started ${startedServices.join(", ")}` });
  await removePrivateDirectory(run.dataDir, privateDir, run.owner);
  return startedServices;
}

function localWalOf({ inPlace, approach, table, keeper }: Run): readonly LocalWalFile[] {
  const reached = keeper.record.outcome?.reachedLsn;
  const isStored = inPlace || approach.kind === "opened";
  return !isStored || reached === undefined ? [] : walToArchive(table, BigInt(reached));
}

/** Behind the start of the server: an archive that was out of reach for days may take hours to catch up. */
async function storeLocalWal(run: Run): Promise<ArchivedLocalWal | undefined> {
  const { onEvent } = run;
  const files = localWalOf(run);
  if (files.length === 0) return undefined;
  onEvent?.({ type: "phase", phase: "archive" });
  const localWal = await archiveLocalWal(files, {
    ...run,
    onFile: (done) => onEvent?.({ type: "archived", files: done, total: files.length }),
  });
  const { archived, present, left } = localWal;
  const stored = archived.length + present.length;
  onEvent?.({ type: "archived", files: stored, total: files.length });
  if (left.length === 0)
    onEvent?.({ type: "done", text: `stored ${stored} WAL files in the repository that only this machine had` });
  return localWal;
}
