import { resolve } from "node:path";
import type { Config } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { checkRestore, planRestore, type CheckedRestore, type RestorePlan } from "@soar/restore";
import type { ObjectStore } from "@soar/storage";
import { tablespaceMapOf, targetOf, type directoryOptions, type TargetConfig } from "./target-options.ts";

export interface Prepared {
  readonly plan: RestorePlan;
  readonly dataDir: string;
  readonly tablespaceMap: ReadonlyMap<string, string>;
  readonly binDirs: readonly string[];
  readonly delta: boolean;
  readonly inPlace: boolean;
  /** How the restore begins: with nothing there, with files there, or where an earlier run was interrupted. */
  readonly approach: CheckedRestore["approach"]["kind"];
}

/** The plan, and everything on this machine that could stand against it. Touches nothing. */
export async function prepare(store: ObjectStore, config: TargetConfig & Config<typeof directoryOptions>, signal: AbortSignal): Promise<Prepared> {
  // The whole command line is judged before anything is read.
  const tablespaceMap = tablespaceMapOf(config);
  const plan = await planRestore(store, { target: targetOf(config), backup: config.baseBackup, timeline: config.targetTimeline, signal });
  const wanted = config.dataDir ?? plan.backup.source.dataDirectory;
  if (wanted === "") {
    throw new SoarError("USAGE", "it is not known where the data directory was: the backup user could not see it", { hint: "Name the directory to fill with --data-dir." });
  }
  const dataDir = resolve(wanted);
  const binDirs = config.binDir === undefined ? [] : [config.binDir];
  const { delta } = config;
  const { inPlace, approach } = await checkRestore(plan, { dataDir, tablespaceMap, binDirs, delta });
  return { plan, dataDir, tablespaceMap, binDirs, delta, inPlace, approach: approach.kind };
}
