import { isSoarError, type SoarError } from "@soar/errors";
import { readClusterState, startCluster } from "@soar/pg-tools/cluster";
import { requireRepositoryRecord, type RepositoryRecord } from "@soar/repository";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import { compareClocks, steadyClock } from "@soar/repository/time";
import { readRecoveryWindow } from "@soar/repository/window";
import { planRestore, withPlanLease, type PlanLeaseOptions, type RestorePlan } from "@soar/restore/plan";
import { useScratchCluster, type RescueEvent, type ScratchCluster } from "@soar/restore/rescue";
import type { ObjectStore } from "@soar/storage";
import type { QuerySource } from "./checks/check-queries.ts";
import { databasesOf, type DrillServer } from "./checks/drill-server.ts";
import type { DrillOptions, DrillOutcome, KeptCluster } from "./drill-options.ts";
import { DrillRecord } from "./drill-record.ts";
import { measureDownloads, type MeasuredStore } from "./measure-downloads.ts";
import { findProduction, measureRpo } from "./measure-rpo.ts";
import { planDrill, requireOutside } from "./plan-drill.ts";
import { sealReport } from "./report/seal-report.ts";
import { runChecks } from "./run-checks.ts";

/**
 * Restores into a scratch cluster, checks what came back, measures how long it took, and removes it. Whatever goes wrong
 * with the restore or with a check is in the report; rejects only when there is no repository to look into, when it was
 * aborted, and for bugs. Nothing is left behind, unless the server is to be kept.
 */
export async function runDrill(store: ObjectStore, given: DrillOptions): Promise<DrillOutcome> {
  const clock = steadyClock(given.now);
  const options = { ...given, now: clock.now };
  const repository = await requireRepositoryRecord(store, options);
  const record = new DrillRecord(options, store.location, repository);
  let failure: SoarError | undefined;
  let kept: KeptCluster | undefined;
  try {
    kept = await carryOut(store, options, { record, repository });
  } catch (error) {
    if (!isSoarError(error) || error.code === "ABORTED" || options.signal.aborted) throw error;
    failure = error;
  }
  const jump = clock.jump();
  if (jump !== undefined) record.issues.push(`${jump}: its times go by the time that passed`);
  return { report: sealReport(record.result(failure?.message)), failure, kept };
}

interface Run {
  readonly record: DrillRecord;
  readonly repository: RepositoryRecord;
}

async function carryOut(
  store: ObjectStore,
  options: DrillOptions,
  { record, repository }: Run,
): Promise<KeptCluster | undefined> {
  const { signal } = options;
  const plan = await planAndRecord(store, options, { record, repository });
  const newest = await planNewest(store, plan, { record, signal });
  const at = options.now();
  // Asked behind the end of the bucket was fixed: what arrives meanwhile must not make the loss look smaller than it would have been.
  const production =
    options.production === undefined
      ? { unusable: "no production server is configured" }
      : await findProduction(options.production, repository.systemIdentifier, signal);
  const told = store.features.clock();
  record.issues.push(
    ...compareClocks([
      ...("unusable" in production ? [] : [{ name: "the clock of production", clock: at, at: production.clock }]),
      ...(told === undefined ? [] : [{ name: "the store's clock", clock: options.now(), at: told }]),
    ]),
  );
  record.rpo = newest && measureRpo(newest, { at, production: "unusable" in production ? undefined : production });
  if (record.rpo === undefined && newest?.resolved.lastReplayed !== undefined)
    record.issues.push(
      `the newest commit in the bucket, of ${formatTargetTime(newest.resolved.lastReplayed.time)}, lies in the future of this machine's clock (${at.toISOString()}): one of the clocks is wrong`,
    );
  const measured = measureDownloads(store);
  const queries: QuerySource = {
    database: options.database ?? options.defaultDatabase,
    production: "unusable" in production ? production : production.target,
  };
  const terms: PlanLeaseOptions = {
    purpose: "drill",
    signal,
    onRefusal: (reason) => options.onEvent?.({ type: "no-lease", reason }),
    async replan() {
      const again = await planAndRecord(store, options, { record, repository });
      record.issues.push(
        `planned again, because what was planned has expired since (${plan.backup.label}): ${again.backup.label}`,
      );
      options.onEvent?.({ type: "planned-again", label: again.backup.label });
      return again;
    },
  };
  return await withPlanLease(store, plan, terms, async (leased) => {
    const { value } = await useScratchCluster(measured.store, leased, {
      ...options,
      onEvent: (event) => follow(event, { record, measured, options }),
      use: (scratch) => check(scratch, options, { record, plan: leased, queries }),
    });
    return value;
  });
}

async function planAndRecord(
  store: ObjectStore,
  options: DrillOptions,
  { record, repository }: Run,
): Promise<RestorePlan> {
  const { signal } = options;
  record.window = await readRecoveryWindow(store, repository.walSegmentSize, { signal });
  const begin = performance.now();
  const { plan, target } = await planDrill(store, options.instant, { window: record.window, signal });
  record.planned(plan, target, performance.now() - begin);
  options.onEvent?.({ type: "planned", plan, target });
  requireOutside(plan.backup, options);
  return plan;
}

/** Of the end of the archive, whichever instant is restored. */
async function planNewest(
  store: ObjectStore,
  plan: RestorePlan,
  { record, signal }: { readonly record: DrillRecord; readonly signal: AbortSignal },
): Promise<RestorePlan | undefined> {
  if (plan.target.kind === "latest") return plan;
  try {
    return await planRestore(store, { target: { kind: "latest" }, signal });
  } catch (error) {
    if (!isSoarError(error) || error.code === "ABORTED") throw error;
    record.issues.push(`the newest state cannot be restored: ${error.message}`);
    return undefined;
  }
}

interface Following {
  readonly record: DrillRecord;
  readonly measured: MeasuredStore;
  readonly options: DrillOptions;
}

function follow(event: RescueEvent, { record, measured, options }: Following): void {
  if (event.type === "fetching") {
    measured.take();
    record.reached("fetching");
  } else if (event.type === "replaying") {
    record.fetched(measured.take());
    record.reached("replaying");
  } else if (event.type === "replayed") record.reached("replayed");
  else if (event.type === "consistent") record.consistentLsn = event.lsn;
  else if (event.type === "widened")
    record.issues.push(`more than the database's own files had to be fetched: ${event.reason}`);
  else if (event.type === "libraries-missing")
    record.issues.push(`not on this host, so not preloaded: ${event.names.join(", ")}`);
  else if (event.type === "libraries-unknown")
    record.issues.push(`it cannot be told whether this host has them, so not preloaded: ${event.names.join(", ")}`);
  options.onEvent?.(event);
}

interface Checking {
  readonly record: DrillRecord;
  readonly plan: RestorePlan;
  readonly queries: QuerySource;
}

async function check(
  scratch: ScratchCluster,
  options: DrillOptions,
  { record, plan, queries }: Checking,
): Promise<KeptCluster | undefined> {
  record.reached("ready");
  record.scratch = scratch;
  const { owner, jobs, signal, database } = options;
  const drill: DrillServer = { scratch, databases: await databasesOf(scratch, database), owner, jobs, signal };
  await runChecks(
    drill,
    { ...options, defaultDatabase: queries.database },
    {
      plan,
      queries,
      consistentLsn: record.consistentLsn,
      onCheck: (done) => {
        record.checks.push(done);
        options.onEvent?.({ type: "checked", check: done });
      },
    },
  );
  record.reached("checked");
  return options.keep ? await keep(scratch, options) : undefined;
}

/** The page checksums may have been read with the server stopped. */
async function keep(
  { directory, binDir, settings, configFile, server }: ScratchCluster,
  { owner, signal }: DrillOptions,
): Promise<KeptCluster> {
  const { path, dataDir, socketDir, logFile } = directory;
  if (!(await readClusterState(dataDir)).running)
    await startCluster({ binDir, dataDir, owner, settings, configFile, logFile, until: "accepting", signal });
  await directory.keep();
  return { directory: path, dataDir, binDir, socketDir, port: server.port, user: server.user };
}
