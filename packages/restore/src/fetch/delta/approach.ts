import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import {
  inspectDataDirectory,
  requireRestorable,
  requireStatePlace,
  type DataDirectoryState,
} from "../../data-directory.ts";
import type { RestorePlan } from "../../plan/plan.ts";
import { isFile } from "../../is-file.ts";
import { findDifference, type LeftPlaces } from "../../status/left-files.ts";
import { requireAlone } from "../../status/restore-lock.ts";
import { plannedRecord, recordPath, type RestoreRecord } from "../../status/restore-record.ts";
import { isOwnServer, readUnfinished } from "../../status/unfinished.ts";
import { requireOwn } from "./require-own.ts";

/**
 * How a restore begins. `fill`: the directory is empty. `replace`: the cluster that lies there is put aside whole. `refill`:
 * it holds a part of the backup, or (`ownData`) another state of the same cluster; what is right stays. `recover`: everything
 * was fetched, recovery was interrupted, and nothing was changed since. `at-target`: an earlier restore ended there as it was
 * asked to, with its server shut down, and nothing was changed since. `follow`: the server of an earlier restore runs, because it
 * went on alone or pauses at its target, and is watched again. `finish`: recovery is over and proved, and the server has still
 * to be started in its own right. `opened`: it was, or was about to be, may hold commits of its own, and is not touched; WAL
 * that only this machine has may still have to be stored.
 */
export type Approach =
  | { readonly kind: "fill" }
  | { readonly kind: "replace"; readonly systemIdentifier: string | undefined; readonly running: number | undefined }
  | {
      readonly kind: "refill";
      readonly earlier: RestoreRecord | undefined;
      readonly ownData: boolean;
      readonly running?: number | undefined;
      /** Why an earlier restore of this plan is not simply gone on with. */
      readonly because?: string | undefined;
    }
  | { readonly kind: "recover"; readonly earlier: RestoreRecord }
  | { readonly kind: "at-target"; readonly earlier: RestoreRecord }
  | { readonly kind: "follow"; readonly earlier: RestoreRecord; readonly processId: number }
  | {
      readonly kind: "finish";
      readonly earlier: RestoreRecord;
      /** Whether its files are as they were left. */
      readonly isUnchanged: boolean;
    }
  | {
      readonly kind: "opened";
      readonly earlier: RestoreRecord;
      /** Whether the server runs: else it is started. */
      readonly isRunning: boolean;
    };

export interface ApproachOptions {
  readonly dataDir: string;
  /** Whether another state of the same cluster may be overwritten. Then everything that is there is compared with the backup. */
  readonly overwrite: boolean;
  /**
   * Whether this is the place of the cluster that was backed up: only there a server of its own is stopped and its directory
   * put aside. Elsewhere a server is stopped only while it recovers for an earlier restore that is overwritten.
   */
  readonly inPlace: boolean;
}

/** Whether the backup was fetched by an earlier run, so that nothing of it is fetched. */
export function goesOn(
  approach: Approach,
): approach is Extract<Approach, { readonly kind: "recover" | "at-target" | "follow" | "finish" | "opened" }> {
  return ["recover", "at-target", "follow", "finish", "opened"].includes(approach.kind);
}

/**
 * Decides it from what lies in the directory. Rejects with `SERVER_RUNNING`, `DIRECTORY_NOT_EMPTY`, `DIRECTORY_FOREIGN` or
 * `SERVER_VERSION` when a restore would destroy something, or when another one is at work there.
 */
export async function chooseApproach(plan: RestorePlan, options: ApproachOptions): Promise<Approach> {
  const { dataDir } = options;
  const found = await inspectDataDirectory(dataDir);
  if (found.state === "absent" || found.state === "empty") return { kind: "fill" };
  await requireStatePlace(dataDir);
  const earlier = await readUnfinished(dataDir);
  if (earlier !== undefined) await requireAlone(dataDir);
  const unfinished = earlier === undefined ? undefined : await goOn(plan, dataDir, { ...options, found, earlier });
  if (unfinished !== undefined) return unfinished;
  if (found.state === "interrupted") return refill(plan, dataDir, { earlier });
  requireOwn(dataDir, found, plan);
  return takeOwn(found, options, earlier) ?? refuse(dataDir, found);
}

interface Found extends ApproachOptions {
  readonly found: DataDirectoryState;
  readonly earlier: RestoreRecord;
}

/** Where an earlier restore of this target left off; undefined when what lies there is more than it fetched. */
async function goOn(plan: RestorePlan, dataDir: string, there: Found): Promise<Approach | undefined> {
  const { found, earlier, overwrite, inPlace } = there;
  if (earlier.phase === "opened") return await opened(plan, dataDir, there);
  // The archive may have grown since, also by the server that went on and promoted: it is followed to where it was sent.
  const isSame = isPlanned(earlier, plan, ["systemIdentifier", "backup", "target"]);
  // Somebody may have started it by hand, and written to it: nothing but proved damage licenses to overwrite it.
  if (earlier.phase === "finish" && isSame && !(overwrite && (await isDamaged(dataDir, there))))
    return await finish(dataDir, there);
  if (overwrite) return await overwriteUnpromoted(plan, dataDir, there);
  if (earlier.phase === "finish") return undefined;
  // A copy that is to pause has no private socket. Another server's log is not the one that would be watched.
  const isItsServer = earlier.privateDir === undefined ? !inPlace : await isOwnServer(dataDir, earlier);
  if (found.state === "running" && earlier.phase !== "fetch" && isSame && isItsServer)
    return { kind: "follow", earlier, processId: found.processId };
  // Not promoted yet, so that it holds nothing of its own.
  if (!(await isUnpromoted(dataDir))) return undefined;
  if (found.state === "running")
    return inPlace ? refill(plan, dataDir, { earlier, running: found.processId }) : undefined;
  if (found.state !== "cluster") return undefined;
  return isPlanned(earlier, plan, ["systemIdentifier", "backup", "target", "stopLsn", "timeline"])
    ? await goOnFrom(plan, dataDir, earlier)
    : refill(plan, dataDir, { earlier });
}

/** For so long the same command for a copy is one that is given again, and behind that a new one, such as next week's test. */
const COPY_OPENED_MS = 3600_000;

/**
 * The same command never stops, overwrites or puts aside what clients have written to since, whatever else it says. Whether
 * the plan is the same in other things tells nothing: backups of before expire meanwhile.
 */
async function opened(
  plan: RestorePlan,
  dataDir: string,
  { found, earlier, inPlace }: Found,
): Promise<Approach | undefined> {
  if (found.state !== "running" && found.state !== "cluster") return undefined;
  if (!inPlace && Date.now() - (await stat(recordPath(dataDir))).mtimeMs > COPY_OPENED_MS) return undefined;
  return isPlanned(earlier, plan, ["systemIdentifier", "target"])
    ? { kind: "opened", earlier, isRunning: found.state === "running" }
    : undefined;
}

async function isUnpromoted(dataDir: string): Promise<boolean> {
  return await isFile(join(dataDir, "recovery.signal"));
}

/** Whatever an earlier restore says of it: everything is compared. What was promoted is a cluster like any other. */
async function overwriteUnpromoted(
  plan: RestorePlan,
  dataDir: string,
  { found, earlier }: Found,
): Promise<Approach | undefined> {
  if (!(await isUnpromoted(dataDir))) return undefined;
  if (found.state === "running") return refill(plan, dataDir, { earlier, running: found.processId });
  return found.state === "cluster" ? refill(plan, dataDir, { earlier }) : undefined;
}

/** What recovery has replayed cannot be compared with the backup, so it counts only while nobody can have changed it. */
async function goOnFrom(plan: RestorePlan, dataDir: string, earlier: RestoreRecord): Promise<Approach> {
  if (earlier.phase === "fetch") return refill(plan, dataDir, { earlier });
  if (earlier.left === undefined)
    return refill(plan, dataDir, { earlier, because: "nothing proves that its files are as its server left them" });
  const difference = await findDifference(earlier.left, placesOf(dataDir, earlier));
  if (difference !== undefined)
    return refill(plan, dataDir, {
      earlier,
      because:
        difference.kind === "used"
          ? "a server was started there since"
          : `its files were changed since: ${difference.detail}`,
    });
  return { kind: earlier.phase === "at-target" ? "at-target" : "recover", earlier };
}

/** Whether its files were seen to be damaged, by a run before or by what was noted of them. A server that runs is never overwritten. */
async function isDamaged(dataDir: string, { found, earlier }: Found): Promise<boolean> {
  if (found.state === "running") return false;
  if (earlier.damage !== undefined) return true;
  const { left } = earlier;
  return left !== undefined && (await findDifference(left, placesOf(dataDir, earlier)))?.kind === "changed";
}

/** A server that was started by hand has made it its own; damage without one must not be opened to clients. */
async function finish(dataDir: string, { found, earlier, inPlace }: Found): Promise<Approach | undefined> {
  if (found.state === "running") return { kind: "finish", earlier, isUnchanged: false };
  if (found.state !== "cluster") return undefined;
  const difference =
    earlier.left === undefined ? undefined : await findDifference(earlier.left, placesOf(dataDir, earlier));
  if (difference?.kind !== "changed")
    return { kind: "finish", earlier, isUnchanged: earlier.left !== undefined && difference === undefined };
  if (inPlace) return undefined;
  throw new SoarError(
    "DIRECTORY_NOT_EMPTY",
    `unable to finish the restore in '${dataDir}': its files were changed since it was left: ${difference.detail}`,
    { hint: "To compare everything with the backup and overwrite what differs: --delta. Nothing was changed." },
  );
}

function placesOf(dataDir: string, { tablespaces }: RestoreRecord): LeftPlaces {
  return { dataDir, tablespaces: tablespaces.map(([, directory]) => directory) };
}

/** What may be done with a cluster that is the one of the plan, or what is left of it. */
function takeOwn(
  found: DataDirectoryState,
  { overwrite, inPlace }: ApproachOptions,
  earlier: RestoreRecord | undefined,
): Approach | undefined {
  if (found.state !== "running" && found.state !== "cluster" && found.state !== "remains") return undefined;
  const running = found.state === "running" ? found.processId : undefined;
  if (running !== undefined && !inPlace) return undefined;
  if (overwrite && found.state !== "remains") return { kind: "refill", earlier, ownData: true, running };
  return inPlace
    ? { kind: "replace", systemIdentifier: found.state === "remains" ? undefined : found.systemIdentifier, running }
    : undefined;
}

function refuse(dataDir: string, found: DataDirectoryState): never {
  requireRestorable(dataDir, found);
  throw new Error(`no way to restore into a directory that is ${found.state}`);
}

interface Refilled {
  readonly earlier: RestoreRecord | undefined;
  readonly running?: number;
  readonly because?: string;
}

function refill({ backup }: RestorePlan, dataDir: string, { earlier, running, because }: Refilled): Approach {
  if (earlier === undefined || earlier.systemIdentifier === backup.systemIdentifier)
    return { kind: "refill", earlier, ownData: false, running, because };
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
