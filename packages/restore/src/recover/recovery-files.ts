import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { formatLsn, lsnOfSegmentIndex } from "@soar/pg-tools";
import {
  recoveryTargetSettings,
  removeRecoverySettings,
  setRecoveryMode,
  writeRecoverySettings,
} from "@soar/pg-tools/recovery-config";
import {
  startCluster,
  stopCluster,
  waitForRecovery,
  type RecoveryEvent,
  type RecoveryOutcome,
  type StartedCluster,
  type WaitForRecoveryOptions,
} from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import type { RestorePlan } from "../plan/plan.ts";
import { JOB_SETTINGS, withoutJobLibraries, withoutTriggerFile } from "./quiet-settings.ts";

export interface RecoverOptions {
  readonly dataDir: string;
  readonly binDir: string;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** The shell line that delivers WAL: see `restoreCommand`. */
  readonly restoreCommand: string;
  /** Where postgresql.conf lies outside of the data directory. */
  readonly configFile?: string | undefined;
  /** Settings for this server that win over its files, for example its port. */
  readonly settings: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly action: "promote" | "pause" | "shutdown";
  /** A copy, which acts on nobody. */
  readonly fenced: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: (event: RecoveryEvent) => void;
  /** Of a server that an earlier run has started: see `waitForRecovery`. */
  readonly isPaused?: WaitForRecoveryOptions["isPaused"];
}

/**
 * Replays WAL to the planned target and watches the server until it has got there. Rejects with `RECOVERY_FAILED` when
 * the server dies, at whatever moment, and with `RECOVERY_MISMATCH` when it ended anywhere else than planned.
 */
export async function recover(plan: RestorePlan, options: RecoverOptions): Promise<RecoveryOutcome> {
  const { dataDir } = options;
  await prepareRecovery(plan, options);
  const cluster = await startCluster({
    binDir: options.binDir,
    dataDir,
    owner: options.owner,
    configFile: options.configFile,
    settings: options.settings,
    env: options.env,
    logFile: options.logFile,
    signal: options.signal,
  });
  return await followRecovery(plan, cluster, options);
}

/** Makes a data directory one that replays to the target when it is started next, and does nothing else. Repeatable. */
export async function prepareRecovery(
  plan: RestorePlan,
  options: Pick<RecoverOptions, "dataDir" | "restoreCommand" | "action" | "fenced">,
): Promise<void> {
  const { dataDir } = options;
  await writeRecoverySettings(dataDir, {
    ...targetSettings(plan),
    restore_command: options.restoreCommand,
    recovery_target_timeline: String(plan.chain.history.timeline),
    recovery_target_action: options.action,
    // For a start by hand, too: a hot standby would have to allow all that its primary allowed, which a fenced copy does not.
    hot_standby: options.action === "pause",
    // Ours to follow, not to be followed: settings of a replica would make it look for a primary.
    primary_conninfo: "",
    primary_slot_name: "",
    archive_cleanup_command: "",
    recovery_end_command: "",
    // A standby that lags on purpose would have each commit wait.
    recovery_min_apply_delay: 0,
    ...withoutTriggerFile(majorOfVersionNumber(plan.backup.postgresVersion)),
    ...(options.fenced && options.action === "pause" ? pausedCopySettings(plan) : {}),
  });
  await setRecoveryMode(dataDir, "recovery");
}

/** As long as a copy pauses, for a start by hand, too: a hot standby allows as many workers as its primary, so that none may be left to begin jobs. */
function pausedCopySettings({ backup: { settings }, minimums }: RestorePlan): Record<string, string> {
  const workers = minimums.max_worker_processes ?? settings["max_worker_processes"];
  const libraries = withoutJobLibraries(settings["shared_preload_libraries"] ?? "");
  return {
    ...JOB_SETTINGS,
    ...(workers === undefined ? {} : { max_worker_processes: String(workers) }),
    ...(libraries === undefined ? {} : { shared_preload_libraries: libraries }),
  };
}

/** Watches a server that was prepared in this way until recovery is over, as `recover` does. */
export async function followRecovery(
  plan: RestorePlan,
  cluster: StartedCluster,
  options: Pick<RecoverOptions, "signal" | "onEvent" | "dataDir" | "isPaused">,
): Promise<RecoveryOutcome> {
  const outcome = await follow(cluster, options);
  // What is left in the file would come back with the next recovery.
  if (outcome.kind === "promoted") await removeRecoverySettings(options.dataDir);
  requireReached(plan, outcome, options.dataDir);
  return outcome;
}

async function follow(
  cluster: StartedCluster,
  { signal, onEvent, dataDir, isPaused }: Pick<RecoverOptions, "signal" | "onEvent" | "dataDir" | "isPaused">,
): Promise<RecoveryOutcome> {
  try {
    return await waitForRecovery({ cluster, signal, isPaused, ...(onEvent === undefined ? {} : { onEvent }) });
  } catch (error) {
    // Given up: a server that goes on alone would promote with nobody watching.
    if (signal?.aborted === true) await stopCluster({ dataDir, mode: "immediate" });
    throw error;
  }
}

/** `latest` sets no target at all: a target behind the last commit would be fatal (safety, trap 31). */
function targetSettings({ resolved: { setting } }: RestorePlan): ReturnType<typeof recoveryTargetSettings> {
  return setting === undefined ? {} : recoveryTargetSettings(setting);
}

function requireReached(plan: RestorePlan, { reachedLsn, kind }: RecoveryOutcome, dataDir: string): void {
  // Exact only after promotion: before, the log names the start of the last record.
  if (kind !== "promoted" || (reachedLsn !== undefined && isPlannedEnd(plan, reachedLsn))) return;
  const { resolved, backup } = plan;
  throw new SoarError(
    "RECOVERY_MISMATCH",
    `recovery ended at ${reachedLsn === undefined ? "an unknown position" : formatLsn(reachedLsn)}, planned was ${formatLsn(resolved.stopLsn)} (backup '${backup.label}')`,
    {
      hint: `Do not use this server before somebody has looked at it: ${join(dataDir, "soar-restore")} holds the plan.`,
    },
  );
}

/**
 * At the end of the archive the last record may be incomplete. Depending on the minor version the new timeline then begins
 * at that record or at the place where its rest is missing (StartupXLOG, missingContrecPtr): nothing lies between.
 */
function isPlannedEnd({ resolved, target, chain }: RestorePlan, reachedLsn: bigint): boolean {
  const isAtArchiveEnd =
    target.kind === "latest" &&
    reachedLsn > resolved.stopLsn &&
    reachedLsn <= lsnOfSegmentIndex(chain.endIndex, chain.segmentSize);
  return reachedLsn === resolved.stopLsn || isAtArchiveEnd;
}
