import { statIfPresent } from "@soar/durable-files";
import { parseLsn } from "@soar/pg-tools";
import { readClusterState, type RecoveryOutcome } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { RECOVERY_PARAMETERS } from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import { chownTree } from "./chown-tree.ts";
import { quietSettings, withoutJobLibraries } from "./recover/quiet-settings.ts";
import { createPrivateDirectory, privateSettings, removePrivateDirectory } from "./recover/private-access.ts";
import { followRecovery, recover } from "./recover/recovery-files.ts";
import { reportReplay } from "./recover/replay-progress.ts";
import { restoreCommand } from "./wal/restore-command.ts";
import type { RestoreOptions } from "./run/restore-options.ts";
import type { RestorePlan } from "./plan/plan.ts";
import type { Run } from "./run/restore-run.ts";
import { segmentsUntil } from "./plan/segments-until.ts";
import { chooseConfigFile, type ConfigChoice } from "./server-config/config-choice.ts";
import { openSpool } from "./wal/spool/open-spool.ts";
import { segmentsReadTwice } from "./wal/spool/read-twice.ts";
import type { RestoreRecord } from "./status/restore-record.ts";

/** Starts the server, so that nobody from outside reaches it, and replays to the target; or follows one that an earlier run has started. */
export async function recoverPhase(store: ObjectStore, plan: RestorePlan, run: Run): Promise<RecoveryOutcome> {
  const { dataDir, recoveryLog, approach, owner, keeper } = run;
  const observed = { ...run, onEvent: reportReplay(store, plan, run) };
  if (approach.kind === "follow")
    return await followRecovery(
      plannedEarlier(plan, approach.earlier),
      { pid: approach.processId, dataDir, logFile: recoveryLog, logOffset: approach.earlier.logOffset },
      observed,
    );
  const config = await chooseConfigFile(store, plan.backup, dataDir, { inPlace: run.inPlace, signal: run.signal });
  await removePrivateDirectory(keeper.record.privateDir);
  // A copy that is going to pause is there to be looked at, by whoever was told its port.
  const privateDir = run.action === "pause" && !run.inPlace ? undefined : await createPrivateDirectory(owner);
  await keeper.note({ logOffset: await sizeOf(recoveryLog), privateDir });
  if (owner !== undefined) await chownTree([run.stateDir], owner);
  try {
    return await recoverWithSpool(store, plan, { ...observed, config, privateDir });
  } catch (error) {
    if (!(await readClusterState(dataDir)).running) await removePrivateDirectory(privateDir);
    throw error;
  }
}

/** The plan that the running server was started with. */
function plannedEarlier(plan: RestorePlan, { stopLsn }: RestoreRecord): RestorePlan {
  return { ...plan, resolved: { ...plan.resolved, stopLsn: parseLsn(stopLsn) } };
}

interface RecoverRun extends Omit<Run, "onEvent"> {
  readonly onEvent: ReturnType<typeof reportReplay>;
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
