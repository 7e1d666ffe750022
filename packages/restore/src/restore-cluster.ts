import { hasErrorCode, messageOf } from "@soar/errors";
import type { ObjectStore } from "@soar/storage";
import { beginRestore } from "./begin-restore.ts";
import { checkRestore } from "./check-restore.ts";
import { fetchPhase } from "./fetch-phase.ts";
import { finishRestore } from "./finish.ts";
import { checkWhatIsThere, type FoundThere } from "./go-on/check-there.ts";
import { standStill } from "./stand-still.ts";
import { compareServerConfig, requireConfigPlaces } from "./server-config/config-difference.ts";
import { readChanged } from "./server-config/host-settings.ts";
import { withPlanLease, type PlanLeaseOptions } from "./plan/plan-lease.ts";
import { recoverAndProve } from "./prove-phase.ts";
import type { RestoreOptions, RestoreReport, Still } from "./run/restore-options.ts";
import type { RestorePlan } from "./plan/plan.ts";
import { whenKept } from "./status/kept-record.ts";
import { noteDamage } from "./status/note-damage.ts";
import type { Run } from "./run/restore-run.ts";
import { countReplayed, timed } from "./work-done.ts";

/**
 * Carries a plan out: stops what has to stand still, puts the old data aside, fetches the backup, replays to the target, and
 * ends when the server takes writes with its own settings. What was fetched cannot be started until it is complete. A run
 * that was interrupted, at whatever moment, goes on when it is called again with the same plan.
 */
export async function restoreCluster(
  store: ObjectStore,
  planned: RestorePlan,
  options: RestoreOptions,
): Promise<RestoreReport> {
  const terms = leaseTerms(options);
  return await withPlanLease(store, planned, { ...terms, replan: options.replan }, async (plan) => {
    if (plan !== planned)
      options.onEvent?.({
        type: "done",
        text: `planned again, because what was planned has expired since: ${plan.backup.label}`,
      });
    if (options.withConfig === true)
      await requireConfigPlaces((await compareServerConfig(store, plan.backup, options)).differences, options);
    return await standStill(store, plan, await checkRestore(store, plan, options), options, async (still) =>
      still.plan === plan
        ? await carryOut(store, still, options)
        : // Planned again when the server had stopped: expiry has to know of what this plan needs, too.
          await withPlanLease(store, still.plan, terms, () => carryOut(store, still, options)),
    );
  });
}

function leaseTerms({ signal, onEvent }: RestoreOptions): PlanLeaseOptions {
  return { purpose: "restore", signal, onRefusal: (reason) => onEvent?.({ type: "no-lease", reason }) };
}

async function carryOut(store: ObjectStore, still: Still, options: RestoreOptions): Promise<RestoreReport> {
  // One that is followed is looked at when it stands still.
  const foundThere = still.checked.approach.kind === "follow" ? undefined : await lookThere(store, still, options);
  const { plan, run } = await beginRestore(still, { ...options, doubts: [] });
  try {
    return await runPhases(store, plan, run, foundThere);
  } finally {
    await run.keeper.release();
  }
}

/** Damage is noted where only proved damage may be overwritten. */
async function lookThere(
  store: ObjectStore,
  { plan, checked }: Still,
  options: RestoreOptions,
): Promise<FoundThere | undefined> {
  try {
    return await checkWhatIsThere(store, plan, { ...options, ...checked });
  } catch (error) {
    if (checked.approach.kind === "finish" && hasErrorCode(error, "DIRECTORY_NOT_EMPTY"))
      await noteDamage(options.dataDir, messageOf(error));
    throw error;
  }
}

async function runPhases(
  store: ObjectStore,
  plan: RestorePlan,
  run: Run,
  foundBefore: FoundThere | undefined,
): Promise<RestoreReport> {
  const { value: fetched, ms: fetchMs } = await timed(() => fetchPhase(store, plan, run));
  const { value: proved, ms: recoverMs } = await timed(() => recoverAndProve(store, plan, run));
  const foundThere = proved.foundThere ?? foundBefore;
  const doubts = foundThere?.kind === "looked-at" ? foundThere.doubts : [];
  const { keptAs, savedWal } = run.keeper.record;
  const { outcome, checks } = proved;
  const isWhole = !["follow", "finish", "opened"].includes(run.approach.kind);
  const finished = outcome.kind === "promoted" ? await finishRestore(store, plan, { ...run, doubts }) : undefined;
  return {
    backup: plan.backup,
    target: plan.target,
    outcome,
    reached: proved.reached,
    work: { fetched, fetchMs, replayedFiles: countReplayed(outcome), recoverMs: isWhole ? recoverMs : undefined },
    foundThere: finished?.isWritten === true ? settled(foundThere) : foundThere,
    checks,
    paused: proved.paused,
    dataDir: run.dataDir,
    inPlace: run.inPlace,
    fenced: run.fenced,
    control: finished?.control ?? run.control,
    logFile: finished === undefined ? run.recoveryLog : finished.logFile,
    privateDir: finished === undefined ? run.keeper.record.privateDir : undefined,
    startedServices: finished?.startedServices ?? [],
    localWal: finished?.localWal,
    changedSettings: await readChanged(run.dataDir),
    keptAs,
    keptEarlier: keptAs === undefined || keptAs === run.keptNow ? undefined : await whenKept(run.dataDir, keptAs),
    savedWal,
  };
}

/** Once its server was stopped, each doubt would have ended the restore. */
function settled(found: FoundThere | undefined): FoundThere | undefined {
  return found?.kind === "looked-at" ? { ...found, doubts: [] } : found;
}
