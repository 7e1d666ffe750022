import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { removeLeftovers } from "@soar/durable-files";
import type { ObjectStore } from "@soar/storage";
import { checkRestore } from "./check-restore.ts";
import { createDataDirectory, inDataDirectory, RESTORE_STATE_DIRECTORY } from "./data-directory.ts";
import { clearState } from "./fetch/delta/clear-state.ts";
import { goesOn } from "./fetch/delta/approach.ts";
import { fetchPhase } from "./fetch-phase.ts";
import { finishRestore } from "./finish.ts";
import { checkWhatIsThere, type FoundThere } from "./go-on/check-there.ts";
import { keepOldData, takeOldPlace } from "./in-place/keep-old-data.ts";
import { findKeptByInterrupted, listKept } from "./status/kept-record.ts";
import { standStill } from "./stand-still.ts";
import { lineageTableOf } from "./wal/lineage-table.ts";
import { digestLocalSegments } from "./wal/local-digest.ts";
import { relocateLocalWal } from "./plan/relocate-local-wal.ts";
import { compareServerConfig, requireConfigPlaces } from "./server-config/config-difference.ts";
import { readChanged } from "./server-config/host-settings.ts";
import { withPlanLease, type PlanLeaseOptions } from "./plan/plan-lease.ts";
import { removePrivateDirectory } from "./recover/private-access.ts";
import { putWalAside } from "./put-wal-aside.ts";
import { recoverAndProve } from "./prove-phase.ts";
import type { CheckedRestore, RestoreOptions, RestoreReport, Still } from "./run/restore-options.ts";
import type { RestorePlan } from "./plan/plan.ts";
import type { Run } from "./run/restore-run.ts";
import { RecordKeeper } from "./status/record-keeper.ts";
import { linkWal } from "./fetch/wal-link.ts";
import { lockRestore } from "./status/restore-lock.ts";
import { plannedRecord, readRestoreRecord, type RestoreRecord } from "./status/restore-record.ts";
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
      await requireConfigPlaces(await compareServerConfig(store, plan.backup, options), options);
    const still = await standStill(store, plan, await checkRestore(store, plan, options), options);
    if (still.plan === plan) return await carryOut(store, still, options);
    // Planned again when the server had stopped: expiry has to know of what this plan needs, too.
    return await withPlanLease(store, still.plan, terms, () => carryOut(store, still, options));
  });
}

function leaseTerms({ signal, onEvent }: RestoreOptions): PlanLeaseOptions {
  return { purpose: "restore", signal, onRefusal: (reason) => onEvent?.({ type: "no-lease", reason }) };
}

async function carryOut(store: ObjectStore, still: Still, options: RestoreOptions): Promise<RestoreReport> {
  const foundThere = await checkWhatIsThere(store, still.plan, { ...options, ...still.checked });
  const doubts = foundThere?.kind === "looked-at" ? foundThere.doubts : [];
  const { plan, run } = await begin(still, { ...options, doubts });
  try {
    return await runPhases(store, plan, run, foundThere);
  } finally {
    await run.keeper.release();
  }
}

async function runPhases(
  store: ObjectStore,
  plan: RestorePlan,
  run: Run,
  foundThere: FoundThere | undefined,
): Promise<RestoreReport> {
  const { value: fetched, ms: fetchMs } = await timed(() => fetchPhase(store, plan, run));
  const { value: proved, ms: recoverMs } = await timed(() => recoverAndProve(store, plan, run));
  const { keptAs, savedWal } = run.keeper.record;
  const { outcome, checks } = proved;
  const isWhole = run.approach.kind !== "follow" && run.approach.kind !== "finish";
  const finished = outcome.kind === "promoted" ? await finishRestore(store, plan, run) : undefined;
  return {
    backup: plan.backup,
    target: plan.target,
    outcome,
    reached: proved.reached,
    work: { fetched, fetchMs, replayedFiles: countReplayed(outcome), recoverMs: isWhole ? recoverMs : undefined },
    foundThere: finished?.isWritten === true ? settled(foundThere) : foundThere,
    checks,
    dataDir: run.dataDir,
    inPlace: run.inPlace,
    fenced: run.fenced,
    control: finished?.control ?? run.control,
    logFile: finished === undefined ? run.recoveryLog : finished.logFile,
    privateDir: finished === undefined ? run.keeper.record.privateDir : undefined,
    startedServices: finished?.startedServices ?? [],
    changedSettings: await readChanged(run.dataDir),
    keptAs,
    savedWal,
  };
}

/** Once its server was stopped, each doubt would have ended the restore. */
function settled(found: FoundThere | undefined): FoundThere | undefined {
  return found?.kind === "looked-at" ? { ...found, doubts: [] } : found;
}

/** Puts the old data aside and leaves a record of what is being done, before anything is fetched. */
async function begin(
  { plan: planned, checked }: Still,
  given: RestoreOptions & Pick<Run, "doubts">,
): Promise<{ readonly plan: RestorePlan; readonly run: Run }> {
  const { dataDir } = given;
  const kept = await keepAside(planned, checked, given);
  const oldPlace = (await listKept(dataDir)).at(-1)?.keptAs;
  const options = { ...given, oldPlace, owner: await ownerOf(given, placeOfServer(given, checked, oldPlace)) };
  const keeper = await beginRecord(kept, checked, options);
  const { plan, table } = await releasedOnFailure(keeper, async () => {
    const saved = await putWalAside(kept, checked, options, keeper);
    return { plan: saved, table: lineageTableOf(saved, await digestLocalSegments(saved)) };
  });
  const stateDir = join(dataDir, RESTORE_STATE_DIRECTORY);
  return {
    plan,
    run: {
      ...options,
      ...checked,
      table,
      stateDir,
      planFile: join(stateDir, "lineage.json"),
      recoveryLog: join(stateDir, "server.log"),
      fenced: !checked.inPlace,
      keeper,
    },
  };
}

async function releasedOnFailure<T>(keeper: RecordKeeper, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    await keeper.release();
    throw error;
  }
}

async function keepAside(
  plan: RestorePlan,
  { approach, tablespaces }: CheckedRestore,
  { dataDir, owner, onEvent }: RestoreOptions,
): Promise<RestorePlan> {
  if (approach.kind !== "replace") return plan;
  // Of a restore that was not gone on with, and whose record goes aside with what it names.
  const privateDir = (await readRestoreRecord(dataDir))?.privateDir;
  const { keptAs } = await keepOldData(dataDir, {
    systemIdentifier: approach.systemIdentifier,
    tablespacePlaces: new Set(tablespaces.values()),
    now: new Date(),
  });
  await removePrivateDirectory(dataDir, privateDir, await ownerOf({ owner }, keptAs));
  onEvent?.({ type: "done", text: `kept the old data directory as ${keptAs}` });
  return relocateLocalWal(plan, join(dataDir, "pg_wal"), join(keptAs, "pg_wal"));
}

/** What the server has run in: the old data directory, or the one that is gone on with. */
function placeOfServer(
  { dataDir }: RestoreOptions,
  { approach }: CheckedRestore,
  keptAs: string | undefined,
): string | undefined {
  return approach.kind === "fill" || approach.kind === "replace" ? keptAs : dataDir;
}

/** As root: whoever owns that directory, because its service runs the server as that user. */
async function ownerOf(
  { owner }: Pick<RestoreOptions, "owner">,
  place: string | undefined,
): Promise<RestoreOptions["owner"]> {
  if (owner === undefined || place === undefined) return owner;
  const { uid, gid } = await lstat(place);
  return uid === 0 ? owner : { uid, gid };
}

async function beginRecord(
  plan: RestorePlan,
  { approach, tablespaces }: CheckedRestore,
  { dataDir, walDir, owner, action }: RestoreOptions,
): Promise<RecordKeeper> {
  const earlier = "earlier" in approach ? approach.earlier : undefined;
  const ours = {
    processId: process.pid,
    startedAt: new Date().toISOString(),
  };
  // Whoever overwrites keeps nothing, whatever lies beside it of restores before.
  const isOverwritten = approach.kind === "refill" && approach.ownData;
  const keptAs = earlier?.keptAs ?? (isOverwritten ? undefined : await findKeptByInterrupted(dataDir));
  const before = { keptAs, savedWal: earlier?.savedWal, privateDir: earlier?.privateDir };
  const fresh: RestoreRecord = {
    format: 1,
    phase: "fetch",
    ...plannedRecord(plan),
    action,
    tablespaces: [...tablespaces],
    ...ours,
    logOffset: 0,
    fetchedBytes: 0,
    sparedBytes: 0,
    totalBytes: plan.backup.sizes.stored,
    ...before,
  };
  if (!goesOn(approach)) {
    if (approach.kind !== "refill" || !approach.ownData) await takeOldPlace(dataDir);
    await createDataDirectory(dataDir, owner);
    await linkWal({ dataDir, walDir }, owner);
  }
  if (!goesOn(approach)) await clearState(dataDir, owner);
  const lock = await lockRestore(dataDir, owner);
  const record = goesOn(approach) ? { ...approach.earlier, ...ours } : fresh;
  const keeper = new RecordKeeper(dataDir, record, { owner, lock });
  return await releasedOnFailure(keeper, async () => {
    // What a killed run has not finished; nobody else writes there.
    for (const directory of [dataDir, join(dataDir, RESTORE_STATE_DIRECTORY)])
      await removeLeftovers(directory, { idleMs: 0, within: inDataDirectory(dataDir, owner) });
    await keeper.note({});
    return keeper;
  });
}
