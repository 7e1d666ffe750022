import { formatLsn, lsnOfSegmentIndex, parseLsn, parseWalSegment } from "@soar/pg-tools";
import type { ClusterIdentity } from "@soar/repository";
import { ageAt } from "@soar/repository/time";
import type { GapRecord } from "@soar/repository/markers";
import type { QueueState } from "../daemon/archive-queue.ts";
import { contiguousMark } from "../daemon/contiguous-mark.ts";
import type { ArchiverCounters } from "./archiver-counters.ts";
import type { HourlyRates } from "./archiver-statistics.ts";
import type { CommitWatch, HeldCommits } from "./commit-watch.ts";
import type { PositionHistory } from "../server-wal/position-history.ts";
import type { RepositoryFacts } from "./repository-facts.ts";
import type { WalDirectory } from "../server-wal/wal-directory.ts";

/** The truth about archiving, as `status --json` prints it. Times in seconds, sizes in bytes. */
export interface ArchiverStatus extends ArchiverCounters {
  readonly at: string;
  /** Whether the resident archiver runs; without it archive_command does the work itself. */
  readonly isResident: boolean;
  readonly systemIdentifier: string;
  /** Files with `.ready` that are not in the bucket. */
  readonly queueDepth: number;
  readonly inFlight: number;
  readonly oldestPending: string | undefined;
  /** Segments that PostgreSQL was told are archived, and that the bucket does not hold: somebody else answered for them. */
  readonly missing: readonly string[];
  readonly timeline: number | undefined;
  /** Before this position everything is archived as whole segments. */
  readonly contiguousLsn: string | undefined;
  /** Up to here WAL is in the bucket, the tail included. */
  readonly durableLsn: string | undefined;
  /** Up to here the server has written WAL; undefined while it cannot be asked. */
  readonly flushLsn: string | undefined;
  /** Committed bytes that are not in the bucket; whole segments are counted while the server cannot be asked. */
  readonly unarchivedBytes: number;
  /** Age of the oldest WAL that is not in the bucket, to the accuracy with which the server is asked; 0 when there is none. */
  readonly oldestUnarchivedSeconds: number;
  /** Time since the last successful archive; undefined before the first. */
  readonly walAgeSeconds: number | undefined;
  /** Undefined without a resident archiver. */
  readonly filesPerSecond: number | undefined;
  /** Of the server, by the difference of two positions; undefined before the second look. */
  readonly walBytesPerSecond: number | undefined;
  readonly pgWalBytes: number | undefined;
  readonly pgWalFreeBytes: number | undefined;
  /** Until `pg_wal` is full if nothing is archived from now on; undefined when the rate is 0 or not known. */
  readonly hoursUntilFull: number | undefined;
  /** Undefined without a resident archiver, which alone counts by the hour. */
  readonly hourly: HourlyRates | undefined;
  /** Milliseconds; undefined when the tail is not shipped. */
  readonly tailIntervalMs: number | undefined;
  /** Undefined when the bucket could not be read yet. */
  readonly baseBackup: BaseBackupStatus | undefined;
  readonly gaps: readonly GapStatus[];
  /** What could not be asked, and why. */
  readonly problems: readonly string[];
  /** Commits that the server holds back because of `synchronous_standby_names`; undefined without a resident archiver. */
  readonly heldCommits: HeldCommits | undefined;
}

export interface BaseBackupStatus {
  readonly label: string;
  readonly stoppedAt: string;
  readonly ageSeconds: number;
  readonly durationSeconds: number;
  readonly sizeBytes: number;
}

export interface GapStatus extends Pick<GapRecord, "from" | "to" | "declaredBy" | "declaredAt" | "reason"> {
  /** Nothing behind the gap can be restored until a base backup begins there. */
  readonly isOpen: boolean;
}

export interface StatusSources {
  readonly isResident: boolean;
  readonly cluster: ClusterIdentity;
  readonly queue: { readonly state: QueueState; readonly inFlight: number };
  readonly missing?: readonly string[] | undefined;
  readonly statistics: {
    readonly counters: ArchiverCounters;
    readonly filesPerSecond: number | undefined;
    readonly hourly: HourlyRates | undefined;
  };
  readonly history: PositionHistory;
  /** When the oldest file that waits was finished. */
  readonly oldestPendingAtMs?: number | undefined;
  /** End of the tail that is in the bucket, if there is one. */
  readonly tailLsn: bigint | undefined;
  readonly tailIntervalMs: number | undefined;
  readonly walDirectory: WalDirectory | undefined;
  readonly repository: RepositoryFacts | undefined;
  readonly problems?: readonly string[] | undefined;
  readonly commits?: Pick<CommitWatch, "held"> | undefined;
  readonly now: Date;
}

export function readArchiverStatus(sources: StatusSources): ArchiverStatus {
  const { isResident, cluster, queue, statistics, history, walDirectory, now } = sources;
  const { counters, filesPerSecond, hourly } = statistics;
  const { state, inFlight } = queue;
  const missing = sources.missing ?? [];
  const mark = contiguousMark(
    { pending: [...state.pending, ...missing], archived: state.archived },
    cluster.walSegmentSize,
  );
  const rate = history.rate;
  return {
    ...counters,
    at: now.toISOString(),
    isResident,
    systemIdentifier: cluster.systemIdentifier,
    queueDepth: state.pending.length,
    inFlight,
    oldestPending: state.pending[0],
    missing,
    timeline: mark?.timeline,
    ...owed(sources, mark?.lsn),
    walAgeSeconds: counters.lastArchived && secondsSince(counters.lastArchived.at, now),
    filesPerSecond,
    walBytesPerSecond: rate,
    pgWalBytes: walDirectory?.bytes,
    pgWalFreeBytes: walDirectory?.freeBytes,
    hoursUntilFull:
      walDirectory === undefined || rate === undefined || rate <= 0 ? undefined : walDirectory.freeBytes / rate / 3600,
    hourly,
    tailIntervalMs: sources.tailIntervalMs,
    ...ofRepository(sources),
    problems: [...(sources.problems ?? []), ...clockProblems(sources)],
    heldCommits: sources.commits?.held(now.getTime()),
  };
}

type Owed = Pick<
  ArchiverStatus,
  "contiguousLsn" | "durableLsn" | "flushLsn" | "unarchivedBytes" | "oldestUnarchivedSeconds"
>;

/** What the server has committed and the bucket does not hold. */
function owed(
  { cluster, queue, history, oldestPendingAtMs, tailLsn, now }: StatusSources,
  markLsn: bigint | undefined,
): Owed {
  const { walSegmentSize } = cluster;
  const { pending } = queue.state;
  const flushed = history.last?.lsn;
  // A server that has finished no segment yet owes only its first ones.
  const contiguous =
    markLsn ??
    (pending.length === 0 && flushed !== undefined ? flushed - (flushed % BigInt(walSegmentSize)) : undefined);
  const durable = durableLsn(contiguous, tailLsn, walSegmentSize);
  const written = furthest(flushed, pending, walSegmentSize);
  const isBehind = written !== undefined && durable !== undefined && written > durable;
  // What was finished before the first look is at least as old as its file in archive_status.
  const since =
    durable === undefined || !isBehind ? undefined : earliest(history.firstBeyond(durable), oldestPendingAtMs);
  return {
    contiguousLsn: textOf(contiguous),
    durableLsn: textOf(durable),
    flushLsn: textOf(flushed),
    unarchivedBytes: isBehind ? Number(written - durable) : 0,
    oldestUnarchivedSeconds: since === undefined ? 0 : Math.max(0, (now.getTime() - since) / 1000),
  };
}

/** The tail counts only where it joins what is archived: a hole before it makes it useless. */
function durableLsn(contiguous: bigint | undefined, tail: bigint | undefined, segmentSize: number): bigint | undefined {
  if (tail === undefined || contiguous === undefined) return contiguous;
  const tailStart = tail - (tail % BigInt(segmentSize));
  return tail > contiguous && tailStart <= contiguous ? tail : contiguous;
}

/** A finished segment is written to its end, also when the server could not be asked since. */
function furthest(flushed: bigint | undefined, pending: readonly string[], segmentSize: number): bigint | undefined {
  const last = pending.findLast((name) => /^[0-9A-F]{24}$/.test(name));
  const end =
    last === undefined ? undefined : lsnOfSegmentIndex(parseWalSegment(last, segmentSize).index + 1, segmentSize);
  if (flushed === undefined || end === undefined) return flushed ?? end;
  return flushed > end ? flushed : end;
}

function earliest(first: number | undefined, second: number | undefined): number | undefined {
  return first === undefined || second === undefined ? (first ?? second) : Math.min(first, second);
}

function ofRepository({ cluster, repository, now }: StatusSources): Pick<ArchiverStatus, "baseBackup" | "gaps"> {
  const newest = repository?.newestBackup;
  return {
    baseBackup: newest && {
      label: newest.label,
      stoppedAt: newest.stoppedAt,
      ageSeconds: secondsSince(newest.stoppedAt, now),
      durationSeconds: newest.durationMs / 1000,
      sizeBytes: newest.sizes.database,
    },
    gaps: (repository?.gaps ?? []).map(({ from, to, declaredBy, declaredAt, reason }) => {
      const end = lsnOfSegmentIndex(parseWalSegment(to, cluster.walSegmentSize).index + 1, cluster.walSegmentSize);
      return {
        from,
        to,
        declaredBy,
        declaredAt,
        reason,
        isOpen: newest === undefined || parseLsn(newest.startLsn) < end,
      };
    }),
  };
}

/** Ages are told by this clock, and alerts follow them. */
function clockProblems({ repository, now }: StatusSources): string[] {
  const newest = repository?.newestBackup;
  if (newest === undefined || ageAt(now, new Date(newest.stoppedAt)) >= 0) return [];
  return [
    `backup ${newest.label} ended at ${newest.stoppedAt}, in the future of this machine's clock (${now.toISOString()}): one of the clocks is wrong`,
  ];
}

function secondsSince(at: string, now: Date): number {
  return (now.getTime() - Date.parse(at)) / 1000;
}

function textOf(lsn: bigint | undefined): string | undefined {
  return lsn === undefined ? undefined : formatLsn(lsn);
}
