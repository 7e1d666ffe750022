import { join } from "node:path";
import { processStart } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { inspectDataDirectory, requireRestorable, type DataDirectoryState } from "../../data-directory.ts";
import type { RestorePlan } from "../../plan/plan.ts";
import { isFile } from "../../is-file.ts";
import { plannedRecord, type RestoreRecord } from "../../status/restore-record.ts";
import { isOwnServer, readUnfinished } from "../../status/unfinished.ts";

/**
 * How a restore begins. `fill`: the directory is empty. `replace`: the cluster that lies there is put aside whole. `refill`:
 * it holds a part of the backup, or (`ownData`) another state of the same cluster; what is right stays. `recover`: everything
 * was fetched, and recovery was interrupted. `follow`: the server of an interrupted restore went on alone and is watched
 * again. `finish`: recovery is over and proved, and the server has still to be started in its own right.
 */
export type Approach =
  | { readonly kind: "fill" }
  | { readonly kind: "replace"; readonly systemIdentifier: string | undefined; readonly running: number | undefined }
  | {
      readonly kind: "refill";
      readonly earlier: RestoreRecord | undefined;
      readonly ownData: boolean;
      readonly running?: number | undefined;
    }
  | { readonly kind: "recover"; readonly earlier: RestoreRecord }
  | { readonly kind: "follow"; readonly earlier: RestoreRecord; readonly processId: number }
  | { readonly kind: "finish"; readonly earlier: RestoreRecord };

export interface ApproachOptions {
  readonly dataDir: string;
  /** Whether an older state of the same cluster may be overwritten. */
  readonly overwrite: boolean;
  /** Whether this is the place of the cluster that was backed up: only there a server is stopped and its directory put aside. */
  readonly inPlace: boolean;
}

/**
 * Decides it from what lies in the directory. Rejects with `SERVER_RUNNING`, `DIRECTORY_NOT_EMPTY`, `DIRECTORY_FOREIGN` or
 * `SERVER_VERSION` when a restore would destroy something, or when another one is at work there.
 */
export async function chooseApproach(plan: RestorePlan, options: ApproachOptions): Promise<Approach> {
  const { dataDir, inPlace } = options;
  const found = await inspectDataDirectory(dataDir);
  if (found.state === "absent" || found.state === "empty") return { kind: "fill" };
  const earlier = await readUnfinished(dataDir);
  if (earlier !== undefined) await requireAlone(dataDir, earlier);
  const unfinished = earlier === undefined ? undefined : await goOn(plan, dataDir, { found, earlier, inPlace });
  if (unfinished !== undefined) return unfinished;
  if (found.state === "interrupted") return refill(plan, dataDir, earlier);
  requireOwn(dataDir, found, plan);
  return takeOwn(found, options) ?? refuse(dataDir, found);
}

interface Found {
  readonly found: DataDirectoryState;
  readonly earlier: RestoreRecord;
  readonly inPlace: boolean;
}

/** Where an interrupted restore of this target left off; undefined when what lies there is more than it fetched. */
async function goOn(
  plan: RestorePlan,
  dataDir: string,
  { found, earlier, inPlace }: Found,
): Promise<Approach | undefined> {
  // The archive may have grown since, also by the server that went on and promoted: it is followed to where it was sent.
  const isSame = isPlanned(earlier, plan, ["systemIdentifier", "backup", "target"]);
  if (earlier.phase === "finish") return isSame ? { kind: "finish", earlier } : undefined;
  // A copy that is to pause has no private socket. Another server's log is not the one that would be watched.
  const isItsServer = earlier.privateDir === undefined ? !inPlace : await isOwnServer(dataDir, earlier);
  if (found.state === "running" && earlier.phase === "recover" && isSame && isItsServer)
    return { kind: "follow", earlier, processId: found.processId };
  // Not promoted yet, so that it holds nothing of its own.
  if (!(await isFile(join(dataDir, "recovery.signal")))) return undefined;
  if (found.state === "running") return inPlace ? refill(plan, dataDir, earlier, found.processId) : undefined;
  if (found.state !== "cluster") return undefined;
  return earlier.phase === "recover" &&
    isPlanned(earlier, plan, ["systemIdentifier", "backup", "target", "stopLsn", "timeline"])
    ? { kind: "recover", earlier }
    : refill(plan, dataDir, earlier);
}

/** What may be done with a cluster that is the one of the plan, or what is left of it. */
function takeOwn(found: DataDirectoryState, { overwrite, inPlace }: ApproachOptions): Approach | undefined {
  if (found.state !== "running" && found.state !== "cluster" && found.state !== "remains") return undefined;
  const running = found.state === "running" ? found.processId : undefined;
  if (running !== undefined && !inPlace) return undefined;
  if (overwrite && found.state !== "remains") return { kind: "refill", earlier: undefined, ownData: true, running };
  return inPlace
    ? { kind: "replace", systemIdentifier: found.state === "remains" ? undefined : found.systemIdentifier, running }
    : undefined;
}

function refuse(dataDir: string, found: DataDirectoryState): never {
  requireRestorable(dataDir, found);
  throw new Error(`no way to restore into a directory that is ${found.state}`);
}

function refill(
  { backup }: RestorePlan,
  dataDir: string,
  earlier: RestoreRecord | undefined,
  running?: number,
): Approach {
  if (earlier === undefined || earlier.systemIdentifier === backup.systemIdentifier)
    return { kind: "refill", earlier, ownData: false, running };
  throw new SoarError(
    "DIRECTORY_FOREIGN",
    `unable to restore into '${dataDir}': a restore of another cluster, with system identifier ${earlier.systemIdentifier}, was interrupted there`,
    {
      hint: "Name another directory, or finish that restore first. Nothing was changed.",
    },
  );
}

function isPlanned(
  record: RestoreRecord,
  plan: RestorePlan,
  names: readonly (keyof ReturnType<typeof plannedRecord>)[],
): boolean {
  const planned = plannedRecord(plan);
  return names.every((name) => record[name] === planned[name]);
}

/** A directory of another cluster is never kept aside, overwritten or stopped (safety, trap 43). */
function requireOwn(dataDir: string, found: DataDirectoryState, { backup }: RestorePlan): void {
  if (found.state !== "running" && found.state !== "cluster" && found.state !== "remains") return;
  const major = majorOfVersionNumber(backup.postgresVersion);
  const identity = found.state === "remains" ? undefined : found.systemIdentifier;
  if (found.postgresMajor !== undefined && found.postgresMajor !== major) {
    throw new SoarError(
      "SERVER_VERSION",
      `unable to restore into '${dataDir}': it holds a cluster of PostgreSQL ${found.postgresMajor}, the backup is of PostgreSQL ${major}`,
      {
        hint: "Name another directory with --data-dir, or another repository in BACKUP_BUCKET. Nothing was changed.",
      },
    );
  }
  if (identity !== undefined && identity !== backup.systemIdentifier) {
    throw new SoarError(
      "DIRECTORY_FOREIGN",
      `unable to restore into '${dataDir}': it holds another cluster, with system identifier ${identity}, the backup's is ${backup.systemIdentifier}`,
      {
        hint: "Name another directory with --data-dir, or another repository in BACKUP_BUCKET. Nothing was changed.",
      },
    );
  }
}

async function requireAlone(dataDir: string, { processId, processStart: began }: RestoreRecord): Promise<void> {
  if (processId === process.pid || (await processStart(processId)) !== began) return;
  throw new SoarError(
    "DIRECTORY_NOT_EMPTY",
    `unable to restore into '${dataDir}': another soar-restore, process ${processId}, is at work there`,
    {
      hint: "Watch it with: soar-restore status. Nothing was changed.",
    },
  );
}
