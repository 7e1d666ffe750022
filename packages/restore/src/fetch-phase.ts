import { join } from "node:path";
import { lstatIfPresent, replaceFile } from "@soar/durable-files";
import { createCodecPool } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { goesOn } from "./fetch/delta/approach.ts";
import { inDataDirectory } from "./data-directory.ts";
import { fenceClone } from "./recover/fence.ts";
import { carryLinks } from "./in-place/carry-links.ts";
import { fetchBackup } from "./fetch/fetch-backup.ts";
import { compareServerConfig, putServerConfig } from "./server-config/config-difference.ts";
import { formatLineageTable } from "./wal/lineage-table.ts";
import { prepareRecovery } from "./recover/recovery-files.ts";
import { restoreCommand } from "./wal/restore-command.ts";
import type { RestorePlan } from "./plan/plan.ts";
import type { Run } from "./run/restore-run.ts";
import { chooseConfigFile } from "./server-config/config-choice.ts";
import type { FetchedWork, FetchProgress } from "./work-done.ts";

/**
 * Until everything is in place for a server to be started. Resolves to what was fetched, undefined when an earlier run has come
 * that far and there was nothing to do.
 */
export async function fetchPhase(store: ObjectStore, plan: RestorePlan, run: Run): Promise<FetchedWork | undefined> {
  const { approach, dataDir, owner, planFile, onEvent, keeper } = run;
  if (goesOn(approach)) return undefined;
  // With it recovery goes on after a crash of the machine.
  await replaceFile(planFile, formatLineageTable(run.table), {
    mode: 0o600,
    owner,
    sync: "directory",
    within: inDataDirectory(dataDir, owner),
  });
  onEvent?.({ type: "phase", phase: "fetch" });
  return await fetchInto(store, plan, run, async () => {
    await carryOver(run);
    if (run.withConfig === true) {
      const { differences, leftOut } = await compareServerConfig(store, plan.backup, run);
      await putServerConfig(differences, { ...run, now: new Date() });
      for (const text of leftOut) onEvent?.({ type: "done", text });
    }
    const { brought } = await chooseConfigFile(store, plan.backup, dataDir, run);
    if (brought.length > 0)
      onEvent?.({ type: "done", text: `wrote configuration that was saved with the backup: ${brought.join(", ")}` });
    // Behind what ALTER SYSTEM had written on the source, which may come with the configuration.
    if (run.fenced) await fenceClone(dataDir, owner);
    await prepareRecovery(plan, {
      dataDir,
      action: run.action,
      fenced: run.fenced,
      restoreCommand: restoreCommand([...run.walFetchProgram, "--plan", planFile]),
    });
    await keeper.note({ phase: "recover" });
  });
}

/** What the administrator has linked in the old data directory, and no backup has. */
async function carryOver({ dataDir, inPlace, owner, keeper, oldPlace, onEvent }: Run): Promise<void> {
  const place = keeper.record.keptAs ?? oldPlace;
  if (!inPlace || place === undefined) return;
  const links = await carryLinks(place, dataDir, owner);
  if (links.length > 0) onEvent?.({ type: "done", text: `made the links of ${place} again: ${links.join(", ")}` });
}

async function fetchInto(
  store: ObjectStore,
  plan: RestorePlan,
  run: Run,
  beforeControlFile: () => Promise<void>,
): Promise<FetchedWork> {
  const { dataDir, tablespaces, owner, jobs, signal, onEvent, keeper } = run;
  const pool = createCodecPool({ workers: jobs });
  const onProgress = (progress: FetchProgress): void => {
    keeper.progress(progress);
    onEvent?.({ type: "fetched", bytes: progress.doneBytes, total: plan.backup.sizes.stored });
  };
  // A pg_wal that leads elsewhere is there before anything is fetched.
  const refill = run.approach.kind === "refill" || (await isLink(join(dataDir, "pg_wal")));
  try {
    return await fetchBackup(store, {
      backup: plan.backup,
      dataDir,
      tablespaces,
      owner,
      pool,
      jobs,
      signal,
      onProgress,
      beforeControlFile,
      refill,
      keepsLinks: run.inPlace,
    });
  } finally {
    await pool.close();
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstatIfPresent(path))?.isSymbolicLink() ?? false;
}
