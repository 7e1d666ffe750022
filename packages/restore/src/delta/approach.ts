import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { inspectDataDirectory, requireRestorable, type DataDirectoryState } from "../data-directory.ts";
import type { RestorePlan } from "../restore-plan.ts";
import { isFile } from "../server-files.ts";
import { processStart } from "../status/process-start.ts";
import { plannedRecord, readRestoreRecord, type RestoreRecord } from "../status/restore-record.ts";

/**
 * How a restore begins. `fill`: the directory is empty. `refill`: it holds a part of the backup, or (`ownData`) another
 * state of the same cluster; what is right stays. `recover`: everything was fetched, and recovery was interrupted. `follow`: the server
 * of an interrupted restore went on alone and is watched again.
 */
export type Approach =
  | { readonly kind: "fill" }
  | { readonly kind: "refill"; readonly earlier: RestoreRecord | undefined; readonly ownData: boolean }
  | { readonly kind: "recover"; readonly earlier: RestoreRecord }
  | { readonly kind: "follow"; readonly earlier: RestoreRecord; readonly processId: number };

export interface ApproachOptions {
  readonly dataDir: string;
  /** Whether an older state of the same cluster may be overwritten. */
  readonly delta: boolean;
}

/**
 * Decides it from what lies in the directory. Rejects with `SERVER_RUNNING`, `DIRECTORY_NOT_EMPTY` or `DIRECTORY_FOREIGN`
 * when a restore would destroy something, or when another one is at work there.
 */
export async function chooseApproach(plan: RestorePlan, options: ApproachOptions): Promise<Approach> {
  const { dataDir } = options;
  const found = await inspectDataDirectory(dataDir);
  if (found.state === "absent" || found.state === "empty") return { kind: "fill" };
  const earlier = await readRestoreRecord(dataDir);
  if (earlier !== undefined) await requireAlone(dataDir, earlier);
  // The archive may have grown since, also by the server that went on and promoted: it is followed to where it was sent.
  if (found.state === "running" && earlier?.phase === "recover" && isPlanned(earlier, plan, ["systemIdentifier", "backup", "target"])) return { kind: "follow", earlier, processId: found.processId };
  if (found.state === "interrupted") return refill(plan, dataDir, earlier);
  if (found.state === "cluster" && earlier !== undefined && (await isFile(join(dataDir, "recovery.signal")))) {
    // Not promoted yet, so that it holds nothing of its own.
    return earlier.phase === "recover" && isPlanned(earlier, plan, ["systemIdentifier", "backup", "target", "stopLsn", "timeline"]) ? { kind: "recover", earlier } : refill(plan, dataDir, earlier);
  }
  if (found.state === "cluster" && options.delta && isOfPlan(found, plan)) return { kind: "refill", earlier, ownData: true };
  requireRestorable(dataDir, found);
  throw new Error(`no way to restore into a directory that is ${found.state}`);
}

function refill({ backup }: RestorePlan, dataDir: string, earlier: RestoreRecord | undefined): Approach {
  if (earlier === undefined || earlier.systemIdentifier === backup.systemIdentifier) return { kind: "refill", earlier, ownData: false };
  throw new SoarError("DIRECTORY_FOREIGN", `unable to restore into '${dataDir}': a restore of another cluster, with system identifier ${earlier.systemIdentifier}, was interrupted there`, {
    hint: "Name another directory, or finish that restore first. Nothing was changed.",
  });
}

function isPlanned(record: RestoreRecord, plan: RestorePlan, names: readonly (keyof ReturnType<typeof plannedRecord>)[]): boolean {
  const planned = plannedRecord(plan);
  return names.every((name) => record[name] === planned[name]);
}

function isOfPlan({ systemIdentifier, postgresMajor }: Extract<DataDirectoryState, { state: "cluster" }>, { backup }: RestorePlan): boolean {
  return systemIdentifier === backup.systemIdentifier && postgresMajor === Math.floor(backup.postgresVersion / 10_000);
}

async function requireAlone(dataDir: string, { processId, processStart: began }: RestoreRecord): Promise<void> {
  if (processId === process.pid || (await processStart(processId)) !== began) return;
  throw new SoarError("DIRECTORY_NOT_EMPTY", `unable to restore into '${dataDir}': another soar-restore, process ${processId}, is at work there`, {
    hint: "Watch it with: soar-restore status. Nothing was changed.",
  });
}
