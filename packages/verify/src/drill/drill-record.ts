import { formatLsn, segmentIndexBeforeLsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import type { RepositoryRecord } from "@soar/repository";
import { ageAt } from "@soar/repository/time";
import type { RecoveryWindow } from "@soar/repository/window";
import type { RestorePlan } from "@soar/restore/plan";
import type { ScratchCluster } from "@soar/restore/rescue";
import type { DrillOptions } from "./drill-options.ts";
import type { Downloads } from "./measure-downloads.ts";
import type { DrillCheck, DrillResult, DrillTarget, Integrity, TestedBackup } from "./report/drill-report.ts";

type Milliseconds = number;

/** What is known of a drill so far: whatever ends it, it can be told. */
export class DrillRecord {
  readonly #options: DrillOptions;
  readonly #location: string;
  readonly #repository: RepositoryRecord;
  readonly startedAt: Date;
  readonly #begin = performance.now();
  #times: {
    plan?: Milliseconds;
    fetching?: number;
    replaying?: number;
    replayed?: number;
    ready?: number;
    checked?: number;
  } = {};
  #downloads: Downloads | undefined;
  target: DrillTarget;
  plan: RestorePlan | undefined;
  window: RecoveryWindow | undefined;
  rpo: DrillResult["rpo"];
  consistentLsn: bigint | undefined;
  scratch: ScratchCluster | undefined;
  readonly checks: DrillCheck[] = [];
  readonly issues: string[] = [];
  /** Those of the plan that counts. */
  #planIssues: readonly string[] = [];

  constructor(options: DrillOptions, location: string, repository: RepositoryRecord) {
    this.#options = options;
    this.#location = location;
    this.#repository = repository;
    this.startedAt = options.now();
    this.target = {
      at: options.instant.at,
      description:
        options.instant.at === "time" ? `time ${formatTargetTime(options.instant.micros)}` : options.instant.at,
      ...("seed" in options.instant ? { seed: options.instant.seed } : {}),
    };
  }

  /** Begins a step on the common clock. A restore that begins anew with more of the backup passes them again. */
  reached(step: "fetching" | "replaying" | "replayed" | "ready" | "checked"): void {
    this.#times = { ...this.#times, [step]: performance.now() };
  }

  /** The last one counts. */
  planned(plan: RestorePlan, target: DrillTarget, planMs: Milliseconds): void {
    this.plan = plan;
    this.target = target;
    this.#times = { ...this.#times, plan: planMs };
    const age = ageAt(this.startedAt, new Date(plan.backup.stoppedAt));
    const future = `backup ${plan.backup.label} ended at ${plan.backup.stoppedAt}, in the future of this machine's clock (${this.startedAt.toISOString()}): one of the clocks is wrong`;
    this.#planIssues = [
      ...(age < 0 ? [future] : []),
      ...(plan.backup.clockDoubts ?? []).map((doubt) => `while backup ${plan.backup.label} was taken, ${doubt}`),
      ...plan.warnings,
      ...plan.passedOver.map(({ label, reason }) => `backup ${label} was passed over: ${reason}`),
    ];
  }

  fetched(downloads: Downloads): void {
    this.#downloads = downloads;
  }

  result(failure: string | undefined): DrillResult {
    const { plan, scratch, checks } = this;
    const { database } = this.#options;
    const failed = checks.filter(({ outcome }) => outcome === "failed");
    const [first] = failed;
    const reason = failure ?? (first === undefined ? undefined : `${first.name}: ${first.detail}`);
    const queries = checks.filter(({ kind }) => kind === "query" || kind === "command");
    const timings = this.#timings();
    return {
      version: 1,
      kind: "soar-drill-report",
      outcome: reason === undefined ? "passed" : "failed",
      reason,
      tool: this.#options.tool,
      host: this.#options.host,
      startedAt: this.startedAt.toISOString(),
      endedAt: this.#options.now().toISOString(),
      repository: { location: this.#location, systemIdentifier: this.#repository.systemIdentifier },
      target: this.target,
      scope: database === undefined ? { kind: "cluster" } : { kind: "database", database },
      tested: plan === undefined ? undefined : testedBackup(plan, this.startedAt),
      reached: plan === undefined || scratch === undefined ? undefined : this.#reachedState(plan, scratch),
      timings,
      transferred: { backupBytes: this.#downloads?.bytes ?? 0, walBytes: scratch?.fetchedBytes.wal ?? 0 },
      checks,
      integrity: integrityOf(checks, failure),
      queries: {
        passed: queries.filter(({ outcome }) => outcome === "passed").length,
        failed: queries.filter(({ outcome }) => outcome === "failed").length,
      },
      issues: [
        ...(failure === undefined ? [] : [failure]),
        ...failed.map(issueOf),
        ...checks.filter(({ outcome }) => outcome === "warning").map(issueOf),
        ...this.#planIssues,
        ...this.issues,
      ],
      rto:
        timings.restoreMs === undefined
          ? undefined
          : { seconds: timings.restoreMs / 1000, of: database === undefined ? "cluster" : "database" },
      rpo: this.rpo,
      window: this.window,
    };
  }

  #timings(): DrillResult["timings"] {
    const { plan, fetching, replaying, ready, checked } = this.#times;
    const between = (from: number | undefined, to: number | undefined): Milliseconds | undefined =>
      from === undefined || to === undefined || to < from ? undefined : Math.round(to - from);
    const restored = between(fetching, ready);
    return {
      planMs: plan === undefined ? undefined : Math.round(plan),
      downloadMs: this.#downloads === undefined ? undefined : Math.round(this.#downloads.busyMs),
      extractMs: between(this.#downloads?.firstByteAt, replaying),
      replayMs: between(replaying, ready),
      restoreMs: restored === undefined || plan === undefined ? undefined : Math.round(plan + restored),
      checksMs: between(ready, checked),
      totalMs: Math.round(performance.now() - this.#begin),
    };
  }

  #reachedState({ resolved }: RestorePlan, { outcome }: ScratchCluster): DrillResult["reached"] {
    const { lastReplayed, firstLeftOut } = resolved;
    return {
      plannedLsn: formatLsn(resolved.stopLsn),
      lsn: outcome.reachedLsn === undefined ? undefined : formatLsn(outcome.reachedLsn),
      timeline: outcome.timeline,
      consistentLsn: this.consistentLsn === undefined ? undefined : formatLsn(this.consistentLsn),
      newestCommit: lastReplayed && formatTargetTime(lastReplayed.time),
      firstLeftOut: firstLeftOut && formatTargetTime(firstLeftOut.time),
    };
  }
}

/** Whether the operator's own checks passed is another matter. That nothing failed proves nothing when nothing was read. */
export function integrityOf(
  checks: readonly Pick<DrillCheck, "kind" | "outcome">[],
  failure: string | undefined,
): Integrity {
  const own = checks.filter(({ kind }) => kind !== "query" && kind !== "command");
  if (failure !== undefined || own.some(({ outcome }) => outcome === "failed")) return "fail";
  return own.some(({ kind, outcome }) => (kind === "amcheck" || kind === "page-checksums") && outcome === "passed")
    ? "pass"
    : "unread";
}

function issueOf({ name, detail }: DrillCheck): string {
  return `${name}: ${detail}`;
}

function testedBackup({ backup, chain, resolved }: RestorePlan, at: Date): TestedBackup {
  const lastIndex = segmentIndexBeforeLsn(resolved.stopLsn, chain.segmentSize);
  const segments = chain.segments.filter(({ index }) => index <= lastIndex);
  return {
    label: backup.label,
    kind: backup.kind,
    endedAt: backup.stoppedAt,
    ageSeconds: Math.round(ageAt(at, new Date(backup.stoppedAt)) / 1000),
    databaseBytes: backup.sizes.database,
    storedBytes: backup.sizes.stored,
    timeline: chain.history.timeline,
    walFirst: segments[0]?.name ?? backup.firstSegment,
    walLast: segments.at(-1)?.name ?? backup.lastSegment,
    walSegments: segments.length,
  };
}
