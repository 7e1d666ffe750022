import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { removeLeftovers } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { createDataDirectory, inDataDirectory, RESTORE_STATE_DIRECTORY } from "./data-directory.ts";
import { clearState } from "./fetch/delta/clear-state.ts";
import { goesOn, type Approach } from "./fetch/delta/approach.ts";
import { linkWal } from "./fetch/wal-link.ts";
import { keepOldData, takeOldPlace } from "./in-place/keep-old-data.ts";
import type { RestorePlan } from "./plan/plan.ts";
import { describeTarget } from "./plan/restore-target.ts";
import { relocateLocalWal } from "./plan/relocate-local-wal.ts";
import { putWalAside } from "./put-wal-aside.ts";
import { removePrivateDirectory } from "./recover/private-access.ts";
import type { CheckedRestore, RestoreOptions, Still } from "./run/restore-options.ts";
import type { Run } from "./run/restore-run.ts";
import { findKeptByInterrupted, listKept } from "./status/kept-record.ts";
import { RecordKeeper } from "./status/record-keeper.ts";
import { lockRestore, requireAlone } from "./status/restore-lock.ts";
import { plannedRecord, readRestoreRecord, type RestoreRecord } from "./status/restore-record.ts";
import { lineageTableOf, type LineageTable } from "./wal/lineage-table.ts";
import { digestLocalSegments } from "./wal/local-digest.ts";
import { readPlannedTable, TABLE_NAME } from "./wal/planned-table.ts";

/**
 * Puts the old data aside and leaves a record of what is being done, before anything is fetched. Rejects with
 * `DIRECTORY_NOT_EMPTY` when another restore has begun there since it was checked.
 */
export async function beginRestore(
  { plan: planned, checked, noteChange }: Still,
  given: RestoreOptions & Pick<Run, "doubts">,
): Promise<{ readonly plan: RestorePlan; readonly run: Run }> {
  const { dataDir } = given;
  // The check was before services and server were stopped, and the directory looked at.
  await requireAlone(dataDir);
  const { plan: kept, keptNow } = await keepAside(planned, checked, { ...given, noteChange });
  const oldPlace = (await listKept(dataDir)).at(-1)?.keptAs;
  const options = { ...given, oldPlace, owner: await ownerOf(given, placeOfServer(given, checked, oldPlace)) };
  const keeper = await beginRecord(kept, checked, options);
  noteChange();
  const { plan, table } = await releasedOnFailure(keeper, async () => {
    const saved = await putWalAside(kept, checked, options, keeper);
    return { plan: saved, table: await tableOf(saved, checked.approach, dataDir) };
  });
  const stateDir = join(dataDir, RESTORE_STATE_DIRECTORY);
  return {
    plan,
    run: {
      ...options,
      ...checked,
      table,
      stateDir,
      planFile: join(stateDir, TABLE_NAME),
      recoveryLog: join(stateDir, "server.log"),
      fenced: !checked.inPlace,
      keptNow,
      keeper,
    },
  };
}

/**
 * What recovery is given, or was: where an earlier run is gone on with, its own table. What a plan finds now proves nothing of
 * the files and bytes of then, and may know nothing of them.
 */
async function tableOf(plan: RestorePlan, approach: Approach, dataDir: string): Promise<LineageTable> {
  const earlier = goesOn(approach) ? await readPlannedTable(dataDir) : undefined;
  if (earlier !== undefined) return earlier;
  if (approach.kind !== "opened") return lineageTableOf(plan, await digestLocalSegments(plan));
  throw new SoarError(
    "FORMAT_INVALID",
    `unable to finish the restore in '${dataDir}': its list of WAL, '${join(dataDir, RESTORE_STATE_DIRECTORY, TABLE_NAME)}', cannot be read`,
    {
      hint: `What lies in the pg_wal that it kept may be in no repository. To give that up: soar-restore forget --data-dir ${dataDir}. Nothing was changed.`,
    },
  );
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
  { dataDir, owner, onEvent, noteChange }: RestoreOptions & Pick<Still, "noteChange">,
): Promise<{ readonly plan: RestorePlan; readonly keptNow: string | undefined }> {
  if (approach.kind !== "replace") return { plan, keptNow: undefined };
  // Of a restore that was not gone on with, and whose record goes aside with what it names.
  const privateDir = (await readRestoreRecord(dataDir))?.privateDir;
  const { keptAs } = await keepOldData(dataDir, {
    systemIdentifier: approach.systemIdentifier,
    tablespacePlaces: new Set(tablespaces.values()),
    now: new Date(),
    target: describeTarget(plan.target),
    beforeMove: noteChange,
  });
  await removePrivateDirectory(dataDir, privateDir, await ownerOf({ owner }, keptAs));
  onEvent?.({ type: "done", text: `kept the old data directory as ${keptAs}` });
  return { plan: relocateLocalWal(plan, join(dataDir, "pg_wal"), join(keptAs, "pg_wal")), keptNow: keptAs };
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
    processStart: undefined,
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
  const lock = await lockRestore(dataDir, owner);
  const record = goesOn(approach) ? { ...approach.earlier, ...ours } : fresh;
  const keeper = new RecordKeeper(dataDir, record, { owner, lock });
  return await releasedOnFailure(keeper, async () => {
    if (!goesOn(approach)) await clearState(dataDir, owner);
    // What a killed run has not finished; nobody else writes there.
    for (const directory of [dataDir, join(dataDir, RESTORE_STATE_DIRECTORY)])
      await removeLeftovers(directory, { idleMs: 0, within: inDataDirectory(dataDir, owner) });
    await keeper.note({});
    return keeper;
  });
}
