import { hasErrorCode, SoarError } from "@soar/errors";
import { formatLsn, formatWalSegment, isOnLineage, parseLsn, parseWalSegment, segmentIndexOfLsn, switchLsnOf, timelineOfLsn, type TimelineHistory } from "@soar/pg-tools";
import {
  appendTail,
  backupKey,
  findTimelineHistory,
  listBackupDirectories,
  listTimelines,
  requireRepositoryRecord,
  requireTimelineHistory,
  type BackupDirectory,
  type BackupRecord,
  type RepositoryRecord,
  type WalChain,
} from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readChainWithLocal } from "./local-wal/local-chain.ts";
import { NO_LOCAL_WAL, readLocalWal, type LocalWal } from "./local-wal/read-local-wal.ts";
import { describeTarget, type RecoveryTarget } from "./recovery-target.ts";
import { resolveTarget, type ResolvedTarget } from "./resolve-target.ts";
import type { RestorePlan } from "./restore-plan.ts";
import { segmentsUntil } from "./segments-until.ts";

export interface PlanOptions extends CallOptions {
  readonly target: RecoveryTarget;
  /** Use this backup instead of the newest that can reach the target. */
  readonly backup?: string | undefined;
  /** Follow this timeline instead of the newest one. */
  readonly timeline?: number | undefined;
  /** Directories on this machine with WAL of the lost server that may be in no bucket: its pg_wal, and what restores kept of it. */
  readonly localWal?: readonly string[] | undefined;
}

type Candidate = BackupDirectory & { readonly record: BackupRecord };

/**
 * Decides how to restore, from the repository alone, and proves that it can be done: the backup is complete, the chain
 * of WAL from it to the target has no hole, the target is in it. Rejects with the reason otherwise: `BACKUP_MISSING`,
 * `TARGET_BEFORE_BACKUP`, `TARGET_AFTER_ARCHIVE`, `TARGET_UNREACHABLE`, `WAL_MISSING`, `REPOSITORY_DAMAGED`.
 *
 * The backup is the newest one whose stop LSN is not beyond the position of the target, never chosen by a clock: a
 * target before the backup's end would end recovery somewhere else without an error (safety, trap 32).
 */
export async function planRestore(store: ObjectStore, options: PlanOptions): Promise<RestorePlan> {
  const { signal } = options;
  const repository = await requireRepositoryRecord(store, { signal });
  const { candidates, unusable } = await findCandidates(store, repository, options);
  const local = await findLocalWal(store, repository, options);
  const history = await chooseHistory(store, candidates, { ...options, local });
  const passedOver = [...unusable];
  let obstacle: SoarError | undefined;
  for (const candidate of requireOnLineage(candidates, history, store.location)) {
    const { label } = candidate.record;
    try {
      const plan = await planFrom(store, { candidate, history, local, options, passedOver });
      const damage = findDamage(store, candidate);
      if (damage === undefined) return plan;
      throw damage;
    } catch (error) {
      if (!mayOlderHelp(error, options.target)) throw error;
      // The first reason is the newest backup's, but a target before *every* backup is what the operator has to know.
      obstacle = hasErrorCode(error, "TARGET_BEFORE_BACKUP") ? error : (obstacle ?? error);
      passedOver.push({ label, reason: error.message });
    }
  }
  throw obstacle ?? noBackup(store.location);
}

interface Basis {
  readonly candidate: Candidate;
  readonly history: TimelineHistory;
  readonly local: LocalWal;
  readonly options: PlanOptions;
  readonly passedOver: RestorePlan["passedOver"];
}

async function planFrom(store: ObjectStore, { candidate, history, local, options, passedOver }: Basis): Promise<RestorePlan> {
  const { record } = candidate;
  const read = { record, local, signal: options.signal };
  const chain = await chainOf(store, history, read);
  const resolved = await resolveTarget(store, { target: options.target, backup: record, chain, signal: options.signal });
  const owner = await cutToOwner(store, chain, resolved, read);
  return planOf(store, { options, record, chain: owner, local, resolved, passedOver });
}

async function findLocalWal(store: ObjectStore, { systemIdentifier, walSegmentSize: segmentSize }: RepositoryRecord, { localWal = [], signal }: PlanOptions): Promise<LocalWal> {
  if (localWal.length === 0) return NO_LOCAL_WAL;
  return readLocalWal(localWal, { systemIdentifier, segmentSize, findHistory: (timeline) => findTimelineHistory(store, timeline, { signal }) });
}

/**
 * Whether another backup may do what this one cannot. A transaction or a restore point that is not found behind this backup
 * may lie before it: unlike times and positions, names say nothing of where they are.
 */
function mayOlderHelp(error: unknown, { kind }: RecoveryTarget): error is SoarError {
  return hasErrorCode(error, "TARGET_BEFORE_BACKUP", "WAL_MISSING") || error instanceof BackupDamage || ((kind === "xid" || kind === "name") && hasErrorCode(error, "TARGET_AFTER_ARCHIVE"));
}

interface Candidates {
  /** Complete backups of this cluster, newest (by stop LSN) first. */
  readonly candidates: readonly Candidate[];
  /** Those that are there and cannot be used at all. */
  readonly unusable: RestorePlan["passedOver"];
}

async function findCandidates(store: ObjectStore, repository: RepositoryRecord, { backup, signal }: PlanOptions): Promise<Candidates> {
  const directories = await listBackupDirectories(store, { signal });
  const complete = directories.filter((directory): directory is Candidate => directory.record !== undefined);
  if (backup !== undefined) return { candidates: [requireOwn(requireNamed(complete, directories, backup, store.location), repository, store.location)], unusable: [] };
  const own = complete.filter((candidate) => isOwn(candidate, repository));
  const foreign = complete.filter((candidate) => !isOwn(candidate, repository)).map(({ label, record }) => ({ label, reason: `it is of another cluster, with system identifier ${record.systemIdentifier}` }));
  const damaged = directories.flatMap(({ label, damage }) => (damage === undefined ? [] : [{ label, reason: damage.message }]));
  if (own.length === 0) throw noBackup(store.location, [...damaged, ...foreign]);
  return { candidates: own.sort((a, b) => (parseLsn(a.record.stopLsn) < parseLsn(b.record.stopLsn) ? 1 : -1)), unusable: [...damaged, ...foreign] };
}

function isOwn({ record }: Candidate, repository: RepositoryRecord): boolean {
  return record.systemIdentifier === repository.systemIdentifier && record.walSegmentSize === repository.walSegmentSize;
}

function requireOwn(candidate: Candidate, repository: RepositoryRecord, location: string): Candidate {
  if (isOwn(candidate, repository)) return candidate;
  throw new SoarError("REPOSITORY_FOREIGN", `unable to use backup '${candidate.label}' in '${location}': it is of another cluster, with system identifier ${candidate.record.systemIdentifier}`, {
    hint: "Objects of two repositories were mixed; move the backup to the repository of its own cluster.",
  });
}

function requireNamed(complete: readonly Candidate[], all: readonly BackupDirectory[], label: string, location: string): Candidate {
  const found = complete.find((candidate) => candidate.label === label);
  if (found !== undefined) return found;
  const interrupted = all.some((directory) => directory.label === label);
  throw new SoarError("BACKUP_MISSING", `there is no complete backup '${label}' in '${location}'`, {
    cause: all.find((directory) => directory.label === label)?.damage,
    hint: interrupted
      ? "This one is still running or was interrupted, so it cannot be used. soar-base-backup list shows the complete ones."
      : `The complete ones are: ${complete.map((candidate) => candidate.label).join(", ") || "none"}.`,
  });
}

/**
 * The timeline to follow: the one that was asked for, else the newest that left anything in the bucket (as PostgreSQL does)
 * or on this machine.
 */
async function chooseHistory(store: ObjectStore, candidates: readonly Candidate[], { timeline, local, signal }: PlanOptions & { readonly local: LocalWal }): Promise<TimelineHistory> {
  const known = timeline === undefined ? [...(await listTimelines(store, { signal })), ...local.histories.keys(), ...candidates.map(({ record }) => record.timeline)] : [timeline];
  const newest = Math.max(...known);
  return local.histories.get(newest) ?? requireTimelineHistory(store, newest, { signal });
}

function requireOnLineage(candidates: readonly Candidate[], history: TimelineHistory, location: string): Candidate[] {
  const onLineage = candidates.filter(({ record }) => isOnLineage(history, { timeline: record.timeline, lsn: parseLsn(record.stopLsn) }));
  if (onLineage.length > 0) return onLineage;
  throw new SoarError("TARGET_UNREACHABLE", `no backup in '${location}' leads to timeline ${history.timeline}: each was taken on a branch that was left before the backup's end`, {
    hint: `Name the timeline of a backup: --target-timeline ${candidates[0]?.record.timeline ?? 1}.`,
  });
}

/** Of a backup's own objects. Damaged WAL is another matter: an older backup needs the same WAL, and more. */
class BackupDamage extends SoarError {}

/** The listing already shows what is missing or cut short; content is compared by digest when it is fetched. */
function findDamage(store: ObjectStore, { record, objects }: Candidate): BackupDamage | undefined {
  const wrong = record.objects.find(({ name, size }) => objects.get(name) !== size);
  if (wrong === undefined) return undefined;
  const found = objects.get(wrong.name);
  const fact = found === undefined ? "it is missing" : `it has ${found} bytes, ${wrong.size} were recorded`;
  return new BackupDamage("REPOSITORY_DAMAGED", `unable to use backup '${record.label}': '${store.location}/${backupKey(record.label, wrong.name)}' is damaged: ${fact}`, {
    hint: "Restore the object from an older version in the bucket, or name another backup with --base-backup.",
  });
}

interface ReadChain extends CallOptions {
  readonly record: BackupRecord;
  readonly local: LocalWal;
}

async function chainOf(store: ObjectStore, history: TimelineHistory, { record, local, signal }: ReadChain): Promise<WalChain> {
  const { walSegmentSize: segmentSize, firstSegment } = record;
  const start = { history, segmentSize, fromIndex: parseWalSegment(firstSegment, segmentSize).index };
  return appendTail(store, await readChainWithLocal(store, start, local, { signal }), { signal });
}

/**
 * The timeline to name to PostgreSQL is the one that the stop lies on, not a descendant: it would write a history in which
 * the descendant ends before it began, and a later restore along that history would take the wrong WAL.
 */
async function cutToOwner(store: ObjectStore, chain: WalChain, { stopLsn }: ResolvedTarget, read: ReadChain): Promise<WalChain> {
  const timeline = timelineOfLsn(chain.history, stopLsn);
  if (timeline === chain.history.timeline) return chain;
  const entries = chain.history.entries.filter((entry) => entry.timeline < timeline);
  const own = await chainOf(store, { timeline, entries }, read);
  const needed = segmentIndexOfLsn(stopLsn, chain.segmentSize);
  if (own.endIndex > needed) return own;
  // The old server never archived the segment in which it was left: the child's copy holds the same up to the switch.
  const copy = chain.segments.find(({ index }) => index === needed);
  const switchLsn = switchLsnOf(chain.history, timeline);
  if (own.endIndex < needed || copy === undefined || switchLsn === undefined) {
    throw new SoarError("WAL_MISSING", `the target cannot be reached: WAL of timeline ${timeline} is missing before ${formatLsn(stopLsn)}`, { hint: "Run soar-backup-verify: it names what is missing." });
  }
  const name = formatWalSegment({ timeline, index: needed }, chain.segmentSize);
  return { ...own, segments: [...own.segments, { ...copy, timeline, name, cutLsn: switchLsn }], endIndex: needed + 1, lastIndex: needed };
}

interface Decided {
  readonly options: PlanOptions;
  readonly record: BackupRecord;
  readonly chain: WalChain;
  readonly local: LocalWal;
  readonly resolved: ResolvedTarget;
  readonly passedOver: RestorePlan["passedOver"];
}

function planOf(store: ObjectStore, { options, record, chain, local, resolved, passedOver }: Decided): RestorePlan {
  const wal = segmentsUntil(chain, resolved.stopLsn).reduce((sum, { object }) => sum + (object.file === undefined ? object.size : 0), 0);
  return {
    location: store.location,
    backup: record,
    target: options.target,
    resolved,
    chain,
    localHistories: [...local.histories.values()],
    fetchBytes: { backup: record.sizes.stored, wal },
    neededBytes: record.sizes.database,
    passedOver,
    warnings: warningsOf(record, chain, options.target),
  };
}

function warningsOf(record: BackupRecord, chain: WalChain, target: RecoveryTarget): string[] {
  const warnings: string[] = [];
  const [hole] = chain.holes;
  if (hole !== undefined) warnings.push(`WAL from '${hole.from}' on cannot be reached: ${hole.count} segments are missing. ${describeTarget(target)} lies before them.`);
  if (record.damagedPages.length > 0) warnings.push(`The source had ${record.damagedPages.length} damaged pages when this backup was taken; they come back damaged.`);
  return warnings;
}

function noBackup(location: string, unusable: RestorePlan["passedOver"] = []): SoarError {
  const [first] = unusable;
  return new SoarError("BACKUP_MISSING", `there is no complete backup in '${location}'${first === undefined ? "" : ` that can be used: '${first.label}': ${first.reason}`}`, {
    hint: "Check bucket and prefix in BACKUP_BUCKET; soar-base-backup takes a backup, soar-base-backup list shows them.",
  });
}
