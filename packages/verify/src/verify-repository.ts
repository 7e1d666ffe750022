import { SoarError } from "@soar/errors";
import { requireRepositoryRecord } from "@soar/repository";
import { listExpiredWal, listGaps } from "@soar/repository/markers";
import { steadyClock } from "@soar/repository/time";
import type { RecoveryWindow } from "@soar/repository/window";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { availableParallelism } from "node:os";
import { sortFindings, type Finding } from "./finding.ts";
import { checkSegments } from "./full/check-segments.ts";
import { checkBackupHistories } from "./full/check-backup-histories.ts";
import { checkSwitchPoints } from "./full/check-switch-points.ts";
import { createVerifyPool, type VerifyPool } from "./full/verify-pool.ts";
import { howRead } from "./how-read.ts";
import { countSegments, firstIndexOf, planReading, slicesIn, unreadSince, type ReadingPlan } from "./plan-reading.ts";
import { agesOf, checkAges, clockJumped, DEFAULT_AGE_LIMITS } from "./quick/check-ages.ts";
import { checkChains } from "./quick/check-chains.ts";
import { checkDirectories } from "./quick/check-directories.ts";
import { checkLeftovers, checkTails } from "./quick/check-leftovers.ts";
import { checkLastArchived, type ServerWord } from "./quick/check-last-archived.ts";
import { checkNewestTimeline } from "./quick/check-newest-timeline.ts";
import { checkHistories, type CheckedHistories } from "./quick/check-histories.ts";
import { checkLastSegments, checkSegmentNames } from "./quick/check-wal-names.ts";
import { readWindow } from "./read-window.ts";
import { surveyRepository, type CompleteBackup, type Survey } from "./survey/survey-repository.ts";
import { takeLease } from "./take-lease.ts";
import { backupUnit } from "./sample/unit-names.ts";
import { verifyBackups } from "./verify-backups.ts";
import type { VerifyOptions, VerifyReport } from "./verify-options.ts";

/** Everything that the steps of one verification share. */
interface Run {
  readonly server: ServerWord | undefined;
  /** The store itself: for what changes meanwhile. */
  readonly live: ObjectStore;
  readonly survey: Survey;
  /** The backups that were asked for. */
  readonly backups: readonly CompleteBackup[];
  readonly isWhole: boolean;
  /** First segment that any of them needs. */
  readonly fromIndex: number;
  readonly plan: ReadingPlan;
  readonly options: VerifyOptions;
  /** Bytes, and names of units, that were read, and of units in which damage was found. */
  readonly read: { stored: number; plain: number; readonly units: Set<string>; readonly damaged: Set<string> };
}

/**
 * Verifies a repository: what the records and listings say, and as many of the bytes as `depth` asks for. Prints nothing and
 * removes nothing but its own lease. Damage is a finding; not being able to look is a rejection.
 */
export async function verifyRepository(store: ObjectStore, given: VerifyOptions): Promise<VerifyReport> {
  const clock = steadyClock(given.now);
  const options = { ...given, now: clock.now };
  // Before anything is looked at: what expires between the listing and the reading would seem to be lost.
  const lease = await takeLease(store, options);
  const pool = options.pool ?? createVerifyPool(Math.min(options.jobs, availableParallelism()));
  try {
    const run = await prepare(store, options);
    const findings = await check(run, pool);
    const window = await readWindow(run.survey, findings, options);
    if (window.finding !== undefined) findings.push(window.finding);
    const jump = clock.jump();
    if (jump !== undefined) findings.push(clockJumped(jump));
    return reportOf(run, findings, window.window);
  } finally {
    if (options.pool === undefined) await pool.close();
    await lease?.release();
    const reason = lease?.refusal();
    if (reason !== undefined) options.onEvent?.({ type: "no-lease", reason });
  }
}

async function prepare(store: ObjectStore, options: VerifyOptions): Promise<Run> {
  // Before the listing, which then has to hold all that the server was told to be archived.
  const server = await options.askServer?.(await requireRepositoryRecord(store, options));
  const survey = await surveyRepository(store, options);
  const { labels = [] } = options;
  const unknown = labels.find((label) => !survey.directories.some((directory) => directory.label === label));
  if (unknown !== undefined) {
    throw new SoarError("BACKUP_MISSING", `there is no backup '${unknown}' in '${store.location}'`, {
      hint: `There are: ${survey.directories.map(({ label }) => label).join(", ") || "none"}.`,
    });
  }
  const backups = labels.length === 0 ? survey.backups : survey.backups.filter(({ label }) => labels.includes(label));
  const fromIndex = backups.length === 0 ? 0 : Math.min(...backups.map(firstIndexOf));
  const plan = planReading(survey, backups, { depth: options.depth, fromIndex, now: options.now() });
  return {
    live: store,
    server,
    survey,
    backups,
    isWhole: labels.length === 0,
    fromIndex,
    plan,
    options,
    read: { stored: 0, plain: 0, units: new Set(), damaged: new Set() },
  };
}

async function check(run: Run, pool: VerifyPool): Promise<Finding[]> {
  const { live, survey, backups, isWhole, plan, options, read: done } = run;
  const { signal, jobs } = options;
  const now = options.now();
  const onRead = ({ stored, plain }: { readonly stored: number; readonly plain: number }): void => {
    done.stored += stored;
    done.plain += plain;
    options.onEvent?.({ type: "progress", done: done.stored, total: Math.max(plan.bytes, done.stored) });
  };
  const onDamaged = (unit: string): void => void done.damaged.add(unit);
  const directories = isWhole
    ? survey.directories
    : survey.directories.filter(({ label }) => (options.labels ?? []).includes(label));
  const findings = [
    ...(isWhole ? survey.findings : []),
    ...(await checkDirectories(survey, directories, { now, signal })),
  ];
  if (isWhole) {
    findings.push(...checkAges(agesOf(survey), { ...DEFAULT_AGE_LIMITS, ...options.limits }, now));
    findings.push(
      ...(await checkLeftovers(live, survey, { now, signal })),
      ...(await checkTails(live, survey, { signal })),
      ...checkNewestTimeline(survey, now),
    );
  }
  const histories = await checkHistories(survey, { signal });
  findings.push(...(await checkWal(run, histories, { signal })));
  const verified = await verifyBackups(survey, backups, {
    plan,
    pool,
    parallel: jobs + pool.workers,
    signal,
    onRead,
    onDamaged,
  });
  findings.push(...verified.findings);
  for (const name of [...verified.wholeSlices, ...slicesIn(plan, verified)]) done.units.add(name);
  findings.push(
    ...(await checkSegments(survey.store, plan.segments, {
      repository: survey.repository,
      pool,
      jobs,
      isStored: plan.isStored,
      signal,
      onRead,
      onUnit: (key) => void done.units.add(key),
      onDamaged,
    })),
  );
  if (options.depth.level !== "quick") findings.push(...(await checkBackupHistories(survey, { signal })));
  const read = new Set(plan.segments.flat().filter(({ key }) => done.units.has(key)));
  findings.push(
    ...(await checkSwitchPoints(survey, histories.histories, {
      signal,
      isRead: (object) => read.has(object),
      onDamaged,
    })),
  );
  return findings;
}

async function checkWal(
  { survey, backups, fromIndex, server }: Run,
  { histories, findings }: CheckedHistories,
  options: CallOptions,
): Promise<Finding[]> {
  const names: Finding[] = [];
  for (const inventory of survey.inventories.values())
    names.push(...(await checkSegmentNames(survey, inventory, { ...options, fromIndex, histories })));
  const gaps = await listGaps(survey.store, options);
  const expired = await listExpiredWal(survey.store, options);
  const chains = checkChains({
    backups: backups.map(({ record }) => record),
    histories,
    inventories: survey.inventories,
    gaps,
    expired,
  });
  const ends = server === undefined ? [] : checkLastArchived(survey, server, { gaps, expired });
  return [...findings, ...names, ...chains, ...ends, ...(await checkLastSegments(survey, options))];
}

function reportOf(
  { survey, server, backups, isWhole, plan, options, read }: Run,
  findings: readonly Finding[],
  window: RecoveryWindow | undefined,
): VerifyReport {
  const { newestBackupAt, lastArchivedAt } = agesOf(survey);
  return {
    repository: survey.repository,
    server,
    findings: sortFindings(distinct(findings)),
    backups: backups.map((backup) => ({
      label: backup.label,
      kind: backup.record.kind,
      read: howRead(backup, { ...plan, slices: plan.slices.intersection(read.units) }, findings),
    })),
    wal: countSegments(survey, plan, read.units),
    window,
    newestBackupAt: newestBackupAt?.toISOString(),
    lastArchivedAt: lastArchivedAt?.toISOString(),
    storedBytes: survey.objects.reduce((sum, { size }) => sum + size, 0),
    readBytes: read.stored,
    plainBytes: read.plain,
    units: {
      // What was not opened is to be read by a sample all the same.
      read: plan.isStored ? [] : [...read.units, ...[...plan.fullLabels].map(backupUnit)],
      damaged: [...read.damaged],
      existing: isWhole
        ? [...plan.units.map(({ name }) => name), ...backups.map(({ label }) => backupUnit(label))]
        : undefined,
    },
    unreadSince: unreadSince(plan, read.units, options.depth)?.toISOString(),
  };
}

/** What several steps came upon is told once, as the last of them knows it. */
function distinct(findings: readonly Finding[]): Iterable<Finding> {
  return new Map(
    findings.map((finding) => [
      `${finding.kind} ${finding.where} ${finding.kind === "wal-duplicate" ? "" : finding.what}`,
      finding,
    ]),
  ).values();
}
