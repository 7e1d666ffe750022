import { SoarError } from "@soar/errors";
import { formatLsn, formatWalSegment, lsnOfSegmentIndex, parseLsn, type Lsn } from "@soar/pg-tools";
import type { RecoveryTarget as PostgresTarget, WalRecord } from "@soar/pg-tools/wal-records";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import type { WalChain } from "@soar/repository/chain";
import type { ObjectStore } from "@soar/storage";
import { requireEpoch } from "./full-xid.ts";
import { describeTarget, type RestoreTarget } from "./restore-target.ts";
import { missingWal, whyAbsent } from "./missing-wal.ts";
import { requireLastTimeline, requireOwnWal, requireSwitchReached } from "./require-timeline.ts";
import { plannedStopAt } from "./postgres-target.ts";
import {
  findChainEnd,
  isTransactionEnd,
  readChainRecords,
  type ChainPosition,
  type ReadChainOptions,
} from "./read-chain-records.ts";

/** A transaction's end in the WAL. */
export interface CommitPoint {
  readonly lsn: Lsn;
  /** Microseconds since 1970 UTC. */
  readonly time: bigint;
}

/** Where recovery will end, in the WAL itself. */
export interface ResolvedTarget {
  /** Replay position at the end. */
  readonly stopLsn: Lsn;
  /** The first transaction that will *not* be replayed, as far as it was looked for. */
  readonly firstLeftOut: CommitPoint | undefined;
  /** The last transaction that will be replayed, as far as it was looked for. */
  readonly lastReplayed: CommitPoint | undefined;
  /** The target that PostgreSQL is given to stop exactly there; undefined where it goes on to the end of the WAL. */
  readonly setting: PostgresTarget | undefined;
}

export interface ResolveOptions extends ReadChainOptions {
  readonly target: RestoreTarget;
  readonly backup: BackupRecord;
  /** From the backup's first segment on. */
  readonly chain: WalChain;
}

/**
 * Finds where PostgreSQL will stop for this target, by its own rule, in the records that are in the bucket. Rejects with
 * `TARGET_BEFORE_BACKUP` when that is before the backup is consistent, `TARGET_INVALID` for a transaction of another epoch, `TARGET_AFTER_ARCHIVE` when the records end
 * before the target, `WAL_MISSING` when they end at a hole.
 */
export async function resolveTarget(store: ObjectStore, options: ResolveOptions): Promise<ResolvedTarget> {
  await requireConsistent(store, options);
  const { target } = options;
  if (target.kind === "latest") return resolveLatest(store, options);
  if (target.kind === "time") await requireNotBeforeCheckpoint(store, target.time, options);
  let lastReplayed: CommitPoint | undefined;
  let nextXid: bigint | undefined;
  for await (const record of readChainRecords(store, options.chain, startOf(target), options)) {
    if (record.kind === "checkpoint") nextXid = record.nextXid;
    const stop = plannedStopAt(record, target, options.backup);
    if (stop !== undefined) {
      requireEpoch(target, nextXid);
      const firstLeftOut = stop.when === "before" ? commitPoint(record) : undefined;
      return requireBehindBackup(options, {
        stopLsn: stop.lsn,
        firstLeftOut,
        lastReplayed: stop.when === "after" ? (commitPoint(record) ?? lastReplayed) : lastReplayed,
        setting: stop.setting,
      });
    }
    lastReplayed = commitPoint(record) ?? lastReplayed;
  }
  throw await notReached(store, options, lastReplayed);
}

/** A checkpoint's time is cut to whole seconds. */
const CHECKPOINT_MARGIN_MICROS = 1_000_000n;

/**
 * What was committed before the backup began is in it, whatever its time, and no record tells. So the instant must not be
 * older than the checkpoint that the backup began with: by the server's clock, from the WAL itself. Without this, a time
 * before the backup would silently give the state at the first commit behind it (safety, trap 32).
 */
async function requireNotBeforeCheckpoint(store: ObjectStore, time: bigint, options: ResolveOptions): Promise<void> {
  const { backup, chain } = options;
  const startLsn = parseLsn(backup.startLsn);
  const checkpointLsn = parseLsn(backup.checkpointLsn);
  for await (const record of readChainRecords(store, chain, {}, options)) {
    if (record.kind === "checkpoint" && record.lsn === checkpointLsn && record.redoLsn === startLsn) {
      if (time >= record.time + CHECKPOINT_MARGIN_MICROS) return;
      throw beforeBackup(options);
    }
    if (record.lsn > checkpointLsn) break;
  }
  throw new SoarError(
    "REPOSITORY_DAMAGED",
    `the WAL does not hold the checkpoint of backup '${backup.label}' at ${backup.checkpointLsn}`,
    { hint: "Use another backup; soar-backup-verify tells what is damaged." },
  );
}

/** Recovery is consistent from the backup's stop LSN on; without the WAL up to there the backup is worth nothing. */
async function requireConsistent(store: ObjectStore, { backup, chain, signal }: ResolveOptions): Promise<void> {
  const reached =
    chain.segments.some(({ name }) => name === backup.lastSegment) ||
    chain.segments.some(({ index }) => BigInt(index + 1) * BigInt(chain.segmentSize) >= parseLsn(backup.stopLsn));
  if (reached) return;
  const { timeline, walSegmentSize } = backup;
  const absent = chain.holes[0]?.from ?? formatWalSegment({ timeline, index: chain.endIndex }, walSegmentSize);
  const reason = await whyAbsent(store, chain, { signal });
  throw new SoarError(
    "WAL_MISSING",
    `backup '${backup.label}' cannot be made consistent: WAL segment '${absent}' is not in the bucket${reason ?? ""}`,
    {
      hint:
        reason === undefined
          ? "If the segment is still in pg_wal of the server, archive it with soar-wal-archive; else use another backup."
          : "Use another backup.",
    },
  );
}

/** The end of the last valid record in the bucket: where PostgreSQL will find nothing more. */
async function resolveLatest(store: ObjectStore, { chain, signal }: ResolveOptions): Promise<ResolvedTarget> {
  const [hole] = chain.holes;
  // Going on to the end of what can be reached would silently leave out everything behind the hole.
  if (hole !== undefined) throw await missingWal(store, chain, { what: "the latest state", signal });
  requireLastTimeline(chain);
  const { endLsn, lastCommit } = await findChainEnd(store, chain, { signal });
  requireSwitchReached(chain, endLsn);
  await requireOwnWal(store, chain, { signal });
  return {
    stopLsn: endLsn,
    firstLeftOut: undefined,
    lastReplayed: lastCommit && { lsn: lastCommit.lsn, time: lastCommit.time },
    setting: undefined,
  };
}

function requireBehindBackup({ backup, target }: ResolveOptions, resolved: ResolvedTarget): ResolvedTarget {
  if (resolved.stopLsn >= parseLsn(backup.stopLsn)) return resolved;
  throw beforeBackup({ backup, target });
}

function beforeBackup({ backup, target }: Pick<ResolveOptions, "backup" | "target">): SoarError {
  return new SoarError(
    "TARGET_BEFORE_BACKUP",
    `${describeTarget(target)} lies before the end of backup '${backup.label}' (consistent at ${backup.stopLsn}, ended ${backup.stoppedAt})`,
    {
      hint: "Choose a later target or an older backup; soar-base-backup list shows what can be restored.",
    },
  );
}

async function notReached(
  store: ObjectStore,
  { target, chain, backup, signal }: ResolveOptions,
  last: CommitPoint | undefined,
): Promise<SoarError> {
  const [hole] = chain.holes;
  if (hole !== undefined) return await missingWal(store, chain, { what: describeTarget(target), signal });
  // Only the end of the chain may have been read, so nothing can be said of what commits there are before it.
  const end = formatLsn(lsnOfSegmentIndex(chain.endIndex, chain.segmentSize));
  const known =
    last === undefined
      ? `it is not met behind backup '${backup.label}', and the WAL in the bucket ends at ${end}`
      : `the last commit in the bucket is of ${formatTargetTime(last.time)} at ${formatLsn(last.lsn)}`;
  return new SoarError("TARGET_AFTER_ARCHIVE", `${describeTarget(target)} cannot be reached: ${known}`, {
    hint: "PostgreSQL stops at a time only when it sees a later commit. Use --latest to replay all that is there, or an earlier target.",
  });
}

/** Records before this position cannot matter, so their segments need not be read. */
function startOf(target: RestoreTarget): ChainPosition {
  switch (target.kind) {
    case "time":
      return { untilTime: target.inclusive ? target.time : target.time - 1n };
    case "name":
      return { restorePoint: target.name };
    case "lsn":
      return { lsn: target.lsn };
    default:
      return {};
  }
}

function commitPoint(record: WalRecord): CommitPoint | undefined {
  return isTransactionEnd(record) ? { lsn: record.lsn, time: record.time } : undefined;
}
