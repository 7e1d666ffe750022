import { statIfPresent } from "@soar/durable-files";
import { hasErrorCode, messageOf } from "@soar/errors";
import { parseLsn } from "@soar/pg-tools";
import { readClusterState, type RecoveryOutcome } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { RECOVERY_PARAMETERS } from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import { quietSettings, withoutJobLibraries } from "./recover/quiet-settings.ts";
import { createPrivateDirectory, privateSettings, removePrivateDirectory } from "./recover/private-access.ts";
import { PauseWatch } from "./recover/pause-watch.ts";
import { followRecovery, recover } from "./recover/recovery-files.ts";
import { noteFiles } from "./go-on/check-there.ts";
import { reportReplay } from "./recover/replay-progress.ts";
import { restoreCommand } from "./wal/restore-command.ts";
import type { RestoreOptions } from "./run/restore-options.ts";
import type { RestorePlan } from "./plan/plan.ts";
import type { Run } from "./run/restore-run.ts";
import { segmentsUntil } from "./plan/segments-until.ts";
import { suitToHost } from "./server-config/host-settings.ts";
import { chooseConfigFile, type ConfigChoice } from "./server-config/config-choice.ts";
import { openSpool } from "./wal/spool/open-spool.ts";
import { segmentsReadTwice } from "./wal/spool/read-twice.ts";
import { surveyFiles } from "./status/left-files.ts";
import type { RestoreRecord } from "./status/restore-record.ts";

/** Starts the server, so that nobody from outside reaches it, and replays to the target; or follows one that an earlier run has started. */
export async function recoverPhase(store: ObjectStore, plan: RestorePlan, run: Run): Promise<RecoveryOutcome> {
  const { dataDir, recoveryLog, approach, keeper } = run;
  const observed = { ...run, onEvent: reportReplay(store, plan, run) };
  try {
    if (approach.kind !== "follow") return await startAndFollow(store, plan, observed);
    await keeper.note({ phase: "recover", outcome: undefined });
    const server = { pid: approach.processId, dataDir, logFile: recoveryLog, logOffset: approach.earlier.logOffset };
    const earlier = plannedEarlier(plan, approach.earlier);
    const watch = new PauseWatch({
      ...run,
      backup: plan.backup,
      stopLsn: earlier.resolved.stopLsn,
      segmentSize: plan.chain.segmentSize,
    });
    return await followRecovery(earlier, server, { ...observed, isPaused: (words) => watch.isPaused(words) });
  } catch (error) {
    await leave(run, error);
    throw error;
  }
}

type Observed = Omit<Run, "onEvent"> & { readonly onEvent: ReturnType<typeof reportReplay> };

async function startAndFollow(store: ObjectStore, plan: RestorePlan, run: Observed): Promise<RecoveryOutcome> {
  const { dataDir, recoveryLog, owner, keeper } = run;
  const config = await chooseConfigFile(store, plan.backup, dataDir, run);
  await suitToHost({ ...run, configFile: config.configFile });
  await removePrivateDirectory(dataDir, keeper.record.privateDir, owner);
  // A copy that is going to pause is there to be looked at, by whoever was told its port.
  const privateDir =
    run.action === "pause" && !run.inPlace
      ? undefined
      : await createPrivateDirectory(dataDir, owner, (directory) => keeper.note({ privateDir: directory }));
  await noteFiles(run, "before-recovery");
  // From here on a server writes, and what was left counts no more.
  await keeper.note({
    phase: "recover",
    action: run.action,
    outcome: undefined,
    pausedAt: undefined,
    left: undefined,
    logOffset: await sizeOf(recoveryLog),
    recoveryBegunAt: new Date().toISOString(),
    privateDir,
  });
  return await recoverWithSpool(store, plan, { ...run, config, privateDir });
}

/** WAL did not come, or somebody has ended the server: what it replayed is right. Every other end may be due to its files. */
const STOPPED_FROM_OUTSIDE = /could not restore file|ended without saying why/;

/** Notes what lies there once no server runs any more, so that the next run can go on from it. */
async function leave({ dataDir, tablespaces, owner, keeper }: Run, error: unknown): Promise<void> {
  if ((await readClusterState(dataDir)).running) return;
  await removePrivateDirectory(dataDir, keeper.record.privateDir, owner);
  const isFromOutside = hasErrorCode(error, "ABORTED") || STOPPED_FROM_OUTSIDE.test(messageOf(error));
  // Without it the next run compares everything; the reason why this one ended is what the operator has to hear.
  const left = isFromOutside
    ? await surveyFiles({ dataDir, tablespaces: tablespaces.values() }).catch(() => undefined)
    : undefined;
  await keeper.note({ privateDir: undefined, left });
}

/** The plan that the running server was started with. */
function plannedEarlier(plan: RestorePlan, { stopLsn }: RestoreRecord): RestorePlan {
  return { ...plan, resolved: { ...plan.resolved, stopLsn: parseLsn(stopLsn) } };
}

interface RecoverRun extends Observed {
  readonly config: ConfigChoice;
  readonly privateDir: string | undefined;
}

/** Replays, with this process fetching ahead. */
async function recoverWithSpool(store: ObjectStore, plan: RestorePlan, run: RecoverRun): Promise<RecoveryOutcome> {
  const { dataDir, owner, jobs, signal, onEvent, config } = run;
  const segments = segmentsUntil(plan.chain, plan.resolved.stopLsn);
  const spool = await openSpool(store, run.table, {
    dataDir,
    owner,
    jobs,
    names: segments.map(({ name }) => name),
    readTwice: segmentsReadTwice(plan, segments),
    signal,
    onEvent,
  });
  try {
    return await recover(plan, {
      ...run,
      logFile: run.recoveryLog,
      configFile: config.configFile,
      settings: serverSettings(plan, run),
      restoreCommand: restoreCommand([...run.walFetchProgram, "--plan", run.planFile], spool),
    });
  } finally {
    await spool.close();
  }
}

/** On the command line of the server that recovers, where they win over all files. */
function serverSettings(
  plan: RestorePlan,
  { config, port, privateDir, action, fenced }: RecoverRun,
): Record<string, string> {
  const libraries = fenced ? withoutJobLibraries(plan.backup.settings["shared_preload_libraries"] ?? "") : undefined;
  const major = majorOfVersionNumber(plan.backup.postgresVersion);
  const isPrivate = privateDir !== undefined;
  return {
    ...config.settings,
    ...recoveryLimits(plan, { action }),
    ...(port === undefined ? {} : { port: String(port) }),
    // Certificate and key may be where no backup reads them, and nobody comes in by TLS before the end.
    ssl: "off",
    ...(libraries === undefined ? {} : { shared_preload_libraries: libraries }),
    ...(isPrivate ? { ...privateSettings(privateDir), ...quietSettings(major, { standby: action === "pause" }) } : {}),
  };
}

async function sizeOf(path: string): Promise<number> {
  return (await statIfPresent(path))?.size ?? 0;
}

/**
 * A hot standby refuses to begin, or stops in the middle of recovery, when these are smaller than the source had them at any
 * moment of the WAL (safety, trap 37), and settings on the command line would also win over larger ones in the files. So
 * nobody is let in before the end, unless the server is to pause there to be looked at. Prepared transactions need
 * their slots in any case.
 */
function recoveryLimits({ minimums }: RestorePlan, { action }: Pick<RestoreOptions, "action">): Record<string, string> {
  const names = action === "pause" ? RECOVERY_PARAMETERS : (["max_prepared_transactions"] as const);
  const limits = Object.fromEntries(
    names.flatMap((name) => (minimums[name] === undefined ? [] : [[name, String(minimums[name])]])),
  );
  return action === "pause" ? limits : { ...limits, hot_standby: "off" };
}
