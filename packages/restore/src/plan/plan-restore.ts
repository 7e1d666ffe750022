import { hasErrorCode, SoarError } from "@soar/errors";
import type { TimelineHistory } from "@soar/pg-tools";
import { requireRepositoryRecord, type BackupRecord, type RepositoryRecord } from "@soar/repository";
import { findTimelineHistory } from "@soar/repository/wal";
import type { WalChain } from "@soar/repository/chain";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { NO_LOCAL_WAL, readLocalWal, type LocalWal } from "../local-wal/read-local-wal.ts";
import { BackupDamage, findCandidates, findDamage, noBackup, requireOnLineage, type Candidate } from "./candidates.ts";
import { requireSwitches } from "./check-switches.ts";
import { chooseHistory } from "./choose-history.ts";
import { countCommitsNearby } from "./count-commits-nearby.ts";
import { cutToOwner, readLineageChain } from "./lineage-chain.ts";
import { findParameterMinimums } from "./parameter-minimums.ts";
import type { ReadChainOptions } from "./read-chain-records.ts";
import { describeTarget, type RestoreTarget } from "./restore-target.ts";
import { resolveTarget, type ResolvedTarget } from "./resolve-target.ts";
import type { RestorePlan } from "./plan.ts";
import { createDescriptions } from "./segment-descriptions.ts";
import { segmentsUntil } from "./segments-until.ts";
import { walRoomBytes } from "./wal-room.ts";

export interface PlanOptions extends CallOptions {
  readonly target: RestoreTarget;
  /** Use this backup instead of the newest that can reach the target. */
  readonly backup?: string | undefined;
  /** Follow this timeline instead of the newest one. */
  readonly timeline?: number | undefined;
  /** Directories on this machine with WAL of the lost server that may be in no bucket: its pg_wal, and what restores kept of it. */
  readonly localWal?: readonly string[] | undefined;
}

/** What all candidates of one plan share. */
type Planning = PlanOptions & ReadChainOptions;

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
  const planning = { ...options, descriptions: createDescriptions(store, { signal }) };
  const repository = await requireRepositoryRecord(store, { signal });
  const { candidates, unusable } = await findCandidates(store, repository, options);
  const local = await findLocalWal(store, repository, options);
  const history = await chooseHistory(store, candidates, { ...options, local });
  const passedOver = [...unusable];
  let obstacle: SoarError | undefined;
  for (const candidate of requireOnLineage(candidates, history, store.location)) {
    const { label } = candidate.record;
    try {
      const plan = await planFrom(store, { candidate, history, local, options: planning, passedOver });
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
  readonly options: Planning;
  readonly passedOver: RestorePlan["passedOver"];
}

async function planFrom(
  store: ObjectStore,
  { candidate, history, local, options, passedOver }: Basis,
): Promise<RestorePlan> {
  const { record } = candidate;
  const read = { record, local, signal: options.signal };
  const chain = await readLineageChain(store, history, read);
  await requireSwitches(store, chain, options);
  const resolved = await resolveTarget(store, { ...options, backup: record, chain });
  const owner = await cutToOwner(store, chain, resolved, read);
  const { target, descriptions } = options;
  const time = target.kind === "time" ? target.time : (resolved.lastReplayed ?? resolved.firstLeftOut)?.time;
  const nearby =
    time === undefined
      ? undefined
      : await countCommitsNearby(store, chain, { stopLsn: resolved.stopLsn, time }, options);
  const minimums = await findParameterMinimums(record, owner, resolved.stopLsn, descriptions);
  return planOf(store, { options, record, chain: owner, local, resolved, passedOver, nearby, minimums });
}

async function findLocalWal(
  store: ObjectStore,
  { systemIdentifier, walSegmentSize: segmentSize }: RepositoryRecord,
  { localWal = [], signal }: PlanOptions,
): Promise<LocalWal> {
  if (localWal.length === 0) return NO_LOCAL_WAL;
  return readLocalWal(localWal, {
    systemIdentifier,
    segmentSize,
    findHistory: (timeline) => findTimelineHistory(store, timeline, { signal }),
  });
}

/**
 * Whether another backup may do what this one cannot. A transaction or a restore point that is not found behind this backup
 * may lie before it: unlike times and positions, names say nothing of where they are.
 */
function mayOlderHelp(error: unknown, { kind }: RestoreTarget): error is SoarError {
  return (
    hasErrorCode(error, "TARGET_BEFORE_BACKUP", "WAL_MISSING") ||
    error instanceof BackupDamage ||
    ((kind === "xid" || kind === "name") && hasErrorCode(error, "TARGET_AFTER_ARCHIVE"))
  );
}

interface Decided extends Pick<RestorePlan, "nearby" | "minimums"> {
  readonly options: PlanOptions;
  readonly record: BackupRecord;
  readonly chain: WalChain;
  readonly local: LocalWal;
  readonly resolved: ResolvedTarget;
  readonly passedOver: RestorePlan["passedOver"];
}

function planOf(
  store: ObjectStore,
  { options, record, chain, local, resolved, passedOver, nearby, minimums }: Decided,
): RestorePlan {
  const wal = segmentsUntil(chain, resolved.stopLsn).reduce(
    (sum, { object }) => sum + (object.file === undefined ? object.size : 0),
    0,
  );
  return {
    location: store.location,
    backup: record,
    target: options.target,
    resolved,
    chain,
    localHistories: [...local.histories.values()],
    fetchBytes: { backup: record.sizes.stored + tableBytes(record), wal },
    nearby,
    minimums,
    neededBytes: record.sizes.database,
    neededWalBytes: walRoomBytes({ chain, stopLsn: resolved.stopLsn, settings: record.settings }),
    passedOver,
    warnings: warningsOf(record, chain, options.target),
  };
}

/** The seek table, without which nothing of the backup is found. */
function tableBytes({ index }: BackupRecord): number {
  return index.members.reduce((sum, [storedLength]) => sum + storedLength, 0);
}

function warningsOf(record: BackupRecord, chain: WalChain, target: RestoreTarget): string[] {
  const warnings: string[] = [];
  const [hole] = chain.holes;
  if (hole !== undefined)
    warnings.push(
      `WAL from '${hole.from}' on cannot be reached: ${hole.count} segments are missing. ${describeTarget(target)} lies before them.`,
    );
  const damaged = record.damagedPages.length + (record.omitted?.damagedPages ?? 0);
  if (damaged > 0)
    warnings.push(
      `The source had ${damaged} files with damaged pages when this backup was taken; they come back damaged.`,
    );
  return warnings;
}
