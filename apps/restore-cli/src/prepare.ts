import { resolve } from "node:path";
import { type Config, findServerUser } from "@soar/app-kit";
import { isSoarError, SoarError } from "@soar/errors";
import { listBackupRecords } from "@soar/repository";
import { checkRestore, isInPlace, readRestoreStatus, realDataDirectory, type CheckedRestore } from "@soar/restore";
import { compareServerConfig, type ConfigComparison, findLocalWalPlaces } from "@soar/restore/in-place";
import {
  describeTarget,
  measureDownload,
  planRestore,
  type MeasuredDownload,
  type PlanCheck,
  type RestorePlan,
} from "@soar/restore/plan";
import type { ObjectStore } from "@soar/storage";
import { failedChecks, passedChecks } from "./machine-checks.ts";
import { toDownload } from "./plan-download.ts";
import { restoreOptions } from "./restore-options.ts";
import { tablespaceMapOf, targetOf, timelineOf, type directoryOptions, type TargetConfig } from "./target-options.ts";

export interface Prepared {
  readonly plan: RestorePlan;
  /** Where it really lies. */
  readonly dataDir: string;
  /** As it was named, which may be a link. */
  readonly namedDir: string;
  readonly walDir: string | undefined;
  readonly tablespaceMap: ReadonlyMap<string, string>;
  readonly binDirs: readonly string[];
  /** Whether another state of the cluster is overwritten instead of being kept. */
  readonly overwrite: boolean;
  readonly service: string | undefined;
  readonly appServices: readonly string[];
  readonly withConfig: boolean;
  readonly systemEnv: Readonly<Record<string, string>>;
  /** What the server is going to do at the target. */
  readonly action: "promote" | "pause" | "shutdown";
  readonly checked: CheckedRestore;
  /** What `--with-config` changes outside of the data directory. */
  readonly config: ConfigComparison;
  readonly checks: readonly PlanCheck[];
  /** Undefined when nobody will read it. */
  readonly download: MeasuredDownload | undefined;
}

/** A plan that something on this machine stands against. */
export interface Hindered {
  readonly plan: RestorePlan;
  readonly obstacle: SoarError;
  readonly checks: readonly PlanCheck[];
}

export type PrepareConfig = TargetConfig &
  Config<typeof directoryOptions> & {
    readonly yes?: boolean;
    readonly targetAction?: TargetAction;
    readonly owner?: string;
  };

type TargetAction = Prepared["action"];

/** The plan, and everything on this machine that could stand against it. Touches nothing; rejects with the first obstacle. */
export async function prepare(store: ObjectStore, config: PrepareConfig, signal: AbortSignal): Promise<Prepared> {
  const found = await inspect(store, config, signal);
  if ("obstacle" in found) throw found.obstacle;
  return found;
}

/** The same for who wants to see the plan all the same. Rejects when there is none. */
export async function inspect(
  store: ObjectStore,
  config: PrepareConfig,
  signal: AbortSignal,
): Promise<Prepared | Hindered> {
  // The whole command line is judged before anything is read.
  const tablespaceMap = tablespaceMapOf(config);
  targetOf(config);
  const { plan, dataDir, namedDir } = await planFor(store, config, signal);
  const prepared = {
    plan,
    dataDir,
    namedDir,
    walDir: config.walDir === undefined ? undefined : resolve(config.walDir),
    tablespaceMap,
    binDirs: config.binDir === undefined ? [] : [config.binDir],
    overwrite: config.delta || config.discardOldData,
    service: config.postgresService,
    appServices: config.stopServices,
    withConfig: config.withConfig,
    systemEnv: systemEnvironment(),
    action: config.targetAction ?? "promote",
  };
  const checked = await checkRestore(store, plan, prepared).catch((error: unknown) => {
    if (isSoarError(error)) return error;
    throw error;
  });
  if (isSoarError(checked)) return { plan, obstacle: checked, checks: failedChecks(plan, checked) };
  const { backup, wal } = toDownload(plan, checked.approach);
  const download =
    config.yes === true
      ? undefined
      : await measureDownload(store, plan, { bytes: backup + wal, jobs: config.jobs, signal });
  return {
    ...prepared,
    checked,
    config: config.withConfig
      ? await compareServerConfig(store, plan.backup, {
          owner: await findServerUser(config.owner ?? restoreOptions.owner.default),
          systemEnv: prepared.systemEnv,
          signal,
        })
      : { differences: [], leftOut: [] },
    checks: passedChecks(plan, dataDir, checked),
    download,
  };
}

/** Plans with what this machine knows: WAL that is in no bucket, and on which timeline an interrupted restore went. */
export async function planFor(
  store: ObjectStore,
  config: PrepareConfig,
  signal: AbortSignal,
): Promise<Pick<Prepared, "plan" | "dataDir" | "namedDir">> {
  const target = targetOf(config);
  const newest = (await listBackupRecords(store, { signal })).at(-1);
  const named = config.dataDir ?? newest?.source.dataDirectory ?? "";
  const guess = named === "" ? undefined : await realDataDirectory(resolve(named));
  const earlier = guess === undefined ? undefined : (await readRestoreStatus(guess))?.record;
  // Its own server may have begun a newer one since.
  const timeline = timelineOf(config) ?? (earlier?.target === describeTarget(target) ? earlier.timeline : undefined);
  // A copy went its own way from where it was made.
  const localWal =
    newest !== undefined && guess !== undefined && isInPlace({ backup: newest }, resolve(named))
      ? await findLocalWalPlaces(guess, describeTarget(target))
      : [];
  const plan = await planRestore(store, { target, backup: config.baseBackup, timeline, localWal, signal });
  const wanted = config.dataDir ?? plan.backup.source.dataDirectory;
  if (wanted === "") {
    throw new SoarError("USAGE", "it is not known where the data directory was: the backup user could not see it", {
      hint: "Name the directory to fill with --data-dir.",
    });
  }
  const namedDir = resolve(wanted);
  return { plan, namedDir, dataDir: await realDataDirectory(namedDir) };
}

/** Of the system's own programs, which may be told by it where things are. */
export function systemEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
