import { formatLsn, parseWalSegment } from "@soar/pg-tools";
import { contiguousMark } from "../daemon/contiguous-mark.ts";
import type { RunningArchiver } from "../daemon/run-archiver.ts";
import type { ArchiverCounters, ArchiverStatistics } from "./archiver-statistics.ts";
import type { PositionHistory } from "./position-history.ts";

/** The truth about archiving, as `status --json` prints it. Times in seconds, sizes in bytes. */
export interface ArchiverStatus extends ArchiverCounters {
  readonly at: string;
  readonly systemIdentifier: string;
  /** Files with `.ready` that are not in the bucket. */
  readonly queueDepth: number;
  readonly inFlight: number;
  readonly oldestPending: string | undefined;
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
  readonly filesPerSecond: number;
}

export interface StatusSources {
  readonly archiver: RunningArchiver;
  readonly statistics: ArchiverStatistics;
  readonly history: PositionHistory;
  /** End of what the tail shipper has put, if it runs. */
  readonly tailLsn: bigint | undefined;
  readonly now: Date;
}

export function readArchiverStatus({ archiver, statistics, history, tailLsn, now }: StatusSources): ArchiverStatus {
  const { counters, filesPerSecond } = statistics;
  const { walSegmentSize, systemIdentifier } = archiver.cluster;
  const { state, inFlight } = archiver.queue;
  const mark = contiguousMark(state, walSegmentSize);
  const flushed = history.last?.lsn;
  // A server that has finished no segment yet owes only its first ones.
  const contiguous = mark?.lsn ?? (state.pending.length === 0 && flushed !== undefined ? flushed - (flushed % BigInt(walSegmentSize)) : undefined);
  const durable = durableLsn(contiguous, tailLsn, walSegmentSize);
  const isBehind = flushed !== undefined && durable !== undefined && flushed > durable;
  const behindSince = durable === undefined ? undefined : history.firstBeyond(durable);
  const pendingSegments = state.pending.filter((name) => /^[0-9A-F]{24}$/.test(name) && parseWalSegment(name, walSegmentSize).timeline > 0);
  return {
    ...counters,
    at: now.toISOString(),
    systemIdentifier,
    queueDepth: state.pending.length,
    inFlight,
    oldestPending: state.pending[0],
    timeline: mark?.timeline,
    contiguousLsn: textOf(contiguous),
    durableLsn: textOf(durable),
    flushLsn: textOf(flushed),
    unarchivedBytes: flushed === undefined ? pendingSegments.length * walSegmentSize : isBehind ? Number(flushed - durable) : 0,
    oldestUnarchivedSeconds: isBehind && behindSince !== undefined ? Math.max(0, (now.getTime() - behindSince) / 1000) : 0,
    walAgeSeconds: counters.lastArchived && (now.getTime() - Date.parse(counters.lastArchived.at)) / 1000,
    filesPerSecond,
  };
}

/** The tail counts only where it joins what is archived: a hole before it makes it useless. */
function durableLsn(contiguous: bigint | undefined, tail: bigint | undefined, segmentSize: number): bigint | undefined {
  if (tail === undefined || contiguous === undefined) return contiguous;
  const tailStart = tail - (tail % BigInt(segmentSize));
  return tail > contiguous && tailStart <= contiguous ? tail : contiguous;
}

function textOf(lsn: bigint | undefined): string | undefined {
  return lsn === undefined ? undefined : formatLsn(lsn);
}
