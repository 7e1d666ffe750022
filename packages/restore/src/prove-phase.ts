import { parseLsn, segmentIndexOfLsn } from "@soar/pg-tools";
import type { RecoveryOutcome } from "@soar/pg-tools/cluster";
import type { ObjectStore } from "@soar/storage";
import { localSegments } from "./local-wal/local-chain.ts";
import type { RestorePlan } from "./plan/plan.ts";
import { checkRestored } from "./recover/check-restored.ts";
import { removePrivateDirectory } from "./recover/private-access.ts";
import { checkWhatIsThere, noteFiles, type FoundThere } from "./go-on/check-there.ts";
import type { DoubtfulPage } from "./go-on/doubts.ts";
import { lookAtPaused, type PausedServer } from "./recover/look-at-paused.ts";
import { recoverPhase } from "./recover-phase.ts";
import type { ReachedState, RestoreReport } from "./run/restore-options.ts";
import type { Run } from "./run/restore-run.ts";
import { surveyFiles } from "./status/left-files.ts";
import type { RecordedOutcome, RestoreRecord } from "./status/restore-record.ts";

/** How recovery ended. */
export interface Proved extends Pick<RestoreReport, "reached" | "checks"> {
  readonly outcome: Outcome;
  /** Of a server that was followed, what was found when it stood still or had ended recovery. */
  readonly foundThere: FoundThere | undefined;
  readonly paused: PausedServer | undefined;
}

type Outcome = Pick<RecoveryOutcome, "kind" | "timeline" | "reachedLsn" | "lastCommitTime" | "restoredFiles" | "stop">;

/** Until recovery is over and the server was looked into; what was found is noted, so that nobody has to look again. */
export async function recoverAndProve(store: ObjectStore, plan: RestorePlan, run: Run): Promise<Proved> {
  const { approach, keeper, dataDir, role, signal } = run;
  if (approach.kind === "finish" || approach.kind === "opened")
    return proofOf(plan, keeper.record.stopLsn, approach.earlier.outcome);
  run.onEvent?.({ type: "phase", phase: "recover" });
  const outcome = await recoverPhase(store, plan, run);
  const isPaused = outcome.kind === "paused";
  const { earlier } = approach.kind === "follow" ? approach : {};
  const foundThere = earlier === undefined ? undefined : await lookAtFollowed(store, plan, run, { earlier, isPaused });
  const reached = reachedBy(plan, keeper.record.stopLsn, outcome);
  if (outcome.kind !== "promoted") {
    await stayAtTarget(run, outcome, foundThere?.kind === "looked-at" ? foundThere.doubts : []);
    const { pausedAt: since } = keeper.record;
    const paused = since === undefined ? undefined : await lookAtPaused({ ...run, backup: plan.backup, since });
    return { outcome, foundThere, reached, checks: undefined, paused };
  }
  const { privateDir } = keeper.record;
  const checks =
    privateDir === undefined
      ? undefined
      : await checkRestored({ dataDir, privateDir, backup: plan.backup, role, signal });
  await keeper.note({ phase: "finish", outcome: { ...recordedOf(outcome, "promoted"), checks } });
  return { outcome, foundThere, reached, checks, paused: undefined };
}

/** Replay makes files shorter and pages older for a while: it stands now, or is over. */
async function lookAtFollowed(
  store: ObjectStore,
  plan: RestorePlan,
  run: Run,
  { earlier, isPaused }: { readonly earlier: RestoreRecord; readonly isPaused: boolean },
): Promise<FoundThere | undefined> {
  try {
    return await checkWhatIsThere(store, plan, run);
  } catch (error) {
    const { phase, outcome } = earlier;
    // It pauses as before, and whoever asks for its state is told so.
    if (phase === "at-target" && isPaused) await run.keeper.note({ phase, outcome });
    throw error;
  }
}

/** The restore has done what it was asked: it can be gone on with, and nobody has to. */
async function stayAtTarget(
  { dataDir, tablespaces, owner, jobs, keeper, signal }: Run,
  outcome: Outcome,
  doubts: readonly DoubtfulPage[],
): Promise<void> {
  const common = { phase: "at-target" } as const;
  if (outcome.kind === "paused") {
    await noteFiles({ dataDir, tablespaces, owner, jobs, signal }, "at-target", doubts);
    // A run that follows finds it paused since an earlier one.
    const pausedAt = keeper.record.pausedAt ?? new Date().toISOString();
    await keeper.note({ ...common, outcome: recordedOf(outcome, "paused"), pausedAt });
    return;
  }
  await removePrivateDirectory(dataDir, keeper.record.privateDir, owner);
  await keeper.note({
    ...common,
    outcome: recordedOf(outcome, "shut-down"),
    privateDir: undefined,
    left: await surveyFiles({ dataDir, tablespaces: tablespaces.values() }),
  });
}

function recordedOf(outcome: Outcome, kind: RecordedOutcome["kind"]): RecordedOutcome {
  const { timeline, restoredFiles, reachedLsn, lastCommitTime, stop } = outcome;
  return {
    kind,
    timeline,
    restoredFiles,
    stop,
    reachedLsn: reachedLsn === undefined ? undefined : String(reachedLsn),
    lastCommitTime: lastCommitTime?.toISOString(),
    checks: undefined,
  };
}

function proofOf(plan: RestorePlan, stopLsn: string, recorded: RecordedOutcome | undefined): Proved {
  if (recorded === undefined) throw new Error("a restore that is being finished has no outcome");
  const { timeline, reachedLsn, lastCommitTime, restoredFiles, stop, checks } = recorded;
  const outcome = {
    kind: "promoted",
    timeline,
    restoredFiles,
    stop,
    reachedLsn: reachedLsn === undefined ? undefined : BigInt(reachedLsn),
    lastCommitTime: lastCommitTime === undefined ? undefined : new Date(lastCommitTime),
  } as const;
  return { outcome, foundThere: undefined, reached: reachedBy(plan, stopLsn, outcome), checks, paused: undefined };
}

/**
 * What was planned is true of the server only when it was replayed up to the very place that was planned; the commits around
 * it are then those of the WAL. Else there is nothing but what the server said itself.
 *
 * @param sentTo planned end of the run that has started the server, which may have been an earlier one
 */
function reachedBy({ resolved, chain }: RestorePlan, sentTo: string, outcome: Outcome): ReachedState {
  const { reachedLsn: lsn, lastCommitTime, stop } = outcome;
  const common = { lsn, plannedLsn: parseLsn(sentTo), stop };
  if (lsn === resolved.stopLsn)
    return {
      ...common,
      lastCommit: resolved.lastReplayed?.time ?? microsOf(lastCommitTime),
      firstLeftOut: resolved.firstLeftOut?.time,
      leftOutOnDisk: localSegments(chain.segments).some(
        ({ index }) => index >= segmentIndexOfLsn(lsn, chain.segmentSize),
      ),
    };
  return { ...common, lastCommit: microsOf(lastCommitTime), firstLeftOut: undefined, leftOutOnDisk: false };
}

function microsOf(time: Date | undefined): bigint | undefined {
  return time === undefined ? undefined : BigInt(time.getTime()) * 1000n;
}
