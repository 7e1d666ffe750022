import { join } from "node:path";
import { emptyDirectory, removeTree } from "@soar/durable-files/directories";
import { readClusterState, stopCluster } from "@soar/pg-tools/cluster";
import type { ObjectStore } from "@soar/storage";
import { hasErrorCode, isSoarError, messageOf, SoarError } from "@soar/errors";
import { archiveLocalWal, type ArchivedLocalWal } from "./archive-wal/archive-local-wal.ts";
import { walToArchive, type LocalWalFile } from "./archive-wal/wal-to-archive.ts";
import { controlOf } from "./check-restore.ts";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "./data-directory.ts";
import { requireWritten } from "./go-on/check-there.ts";
import type { Run } from "./run/restore-run.ts";
import type { RestorePlan } from "./plan/plan.ts";
import { chooseConfigFile } from "./server-config/config-choice.ts";
import { closeKept } from "./status/kept-record.ts";
import { suitToHost } from "./server-config/host-settings.ts";
import { surveyFiles } from "./status/left-files.ts";
import { LOCK_NAME } from "./status/restore-lock.ts";
import { RECORD_NAME } from "./status/restore-record.ts";
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
  if (run.approach.kind === "archive") return await onlyArchive(store, plan, run);
  const { dataDir, tablespaces, onEvent, keeper } = run;
  onEvent?.({ type: "phase", phase: "finish" });
  // From here on a server may write there without this run.
  await keeper.note({ left: undefined });
  try {
    return await storeAndEnd(run, await handOver(store, plan, run));
  } catch (error) {
    // Damage that was found is none that the next run may take for what was left.
    if (!hasErrorCode(error, "DIRECTORY_NOT_EMPTY") && !(await readClusterState(dataDir)).running) {
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
 * start, everything is stored all the same, and the record goes, so that the same command restores again.
 */
async function onlyArchive(store: ObjectStore, plan: RestorePlan, run: Run): Promise<Finished> {
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
  const { left = [], reason } = (await storeLocalWal(run)) ?? {};
  await removeState(run);
  const fact =
    left.length === 0
      ? "WAL that only this machine had is in the repository"
      : `WAL from ${left[0]?.file} on is not in the repository: ${reason}`;
  throw new SoarError(
    isSoarError(failure) ? failure.code : "SERVER_START_FAILED",
    `${messageOf(failure)}; ${fact}, and the earlier restore is over`,
    { cause: failure, hint: "When the reason is gone, start the server. The same command would restore once more." },
  );
}

async function storeAndEnd(run: Run, server: HandedOver): Promise<Finished> {
  const localWal = await storeLocalWal(run);
  await removeState(run);
  return { ...server, localWal };
}

async function handOver(store: ObjectStore, plan: RestorePlan, run: Run): Promise<HandedOver> {
  const { dataDir, onEvent, signal, keeper } = run;
  const { privateDir } = keeper.record;
  const { socketDir } = await readClusterState(dataDir);
  const isStopped = socketDir === undefined || socketDir === privateDir || privateDir === undefined;
  if (isStopped) {
    await stopCluster({ dataDir, mode: "fast", signal });
    await requireWritten(run.doubts, run);
  }
  const config = await chooseConfigFile(store, plan.backup, dataDir, run);
  if (isStopped) await suitToHost({ ...run, configFile: config.configFile });
  // Known only now where its configuration came back with the restore.
  const control = await controlOf(plan, run, run.inPlace);
  const logFile = await startServer(control, { ...run, config });
  onEvent?.({
    type: "done",
    text: `started the server of ${dataDir} with its own settings${control.kind === "systemd" ? ` as ${control.unit}` : ""}`,
  });
  // From the first client on nothing of it may be overwritten or put aside by the same command.
  if (localWalOf(run).length > 0) await keeper.note({ phase: "archive" });
  const startedServices = await openEntrances(run, privateDir);
  return { control, logFile, startedServices, isWritten: isStopped };
}

async function openEntrances(run: Run, privateDir: string | undefined): Promise<readonly string[]> {
  const startedServices = run.canControlServices ? (run.appServices ?? []) : [];
  await controlUnits("start", startedServices, run.systemEnv);
  if (startedServices.length > 0) run.onEvent?.({ type: "done", text: `started ${startedServices.join(", ")}` });
  await removePrivateDirectory(run.dataDir, privateDir, run.owner);
  return startedServices;
}

function localWalOf({ inPlace, table, keeper }: Run): readonly LocalWalFile[] {
  const reached = keeper.record.outcome?.reachedLsn;
  const isStored = inPlace || keeper.record.phase === "archive";
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

async function removeState({ dataDir, owner, keeper }: Run): Promise<void> {
  const stateDir = join(dataDir, RESTORE_STATE_DIRECTORY);
  const options = { sync: "none", within: inDataDirectory(dataDir, owner) } as const;
  await closeKept(dataDir, keeper.record.keptAs, new Date());
  await emptyDirectory(stateDir, { ...options, except: new Set([RECORD_NAME, LOCK_NAME]) });
  await keeper.remove();
  await removeTree(stateDir, options);
}
