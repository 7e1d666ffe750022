import { METRICS } from "@soar/metrics";

/** Counters since the spool was made; they go on after a restart, and whoever archives adds to them. */
export interface ArchiverCounters {
  readonly archivedTotal: number;
  /** WAL files of a declared gap for which PostgreSQL was told to go on. */
  readonly givenUpTotal: number;
  readonly errorsTotal: number;
  /** Stored bytes of segments and tail pieces. */
  readonly uploadedBytesTotal: number;
  readonly tailPiecesTotal: number;
  /** Requests to the provider by kind and outcome, `put ok`. */
  readonly requestsTotal: Readonly<Record<string, number>>;
  readonly baseBackups: DurationHistogram;
  readonly lastArchived: { readonly name: string; readonly at: string } | undefined;
  readonly lastFailure: LastFailure | undefined;
}

export interface LastFailure {
  readonly name: string;
  readonly at: string;
  readonly code: string | undefined;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string | undefined;
}

/** How long base backups took, those included that have expired since. */
export interface DurationHistogram {
  readonly count: number;
  readonly sumSeconds: number;
  /** Per bound of `BASE_BACKUP_BOUNDS`, how many took no longer. */
  readonly buckets: readonly number[];
  /** End of the newest that was counted: each is counted once. */
  readonly countedUntil: string | undefined;
}

/** Seconds. */
export const BASE_BACKUP_BOUNDS: readonly number[] = METRICS["soar-wal-archive"].backup_base_duration_seconds.bounds;

/** What came to the counters; the counts are differences. */
export interface CounterChange {
  readonly archived?: number;
  readonly givenUp?: number;
  readonly errors?: number;
  readonly uploadedBytes?: number;
  readonly tailPieces?: number;
  readonly requests?: Readonly<Record<string, number>>;
  readonly baseBackups?: readonly BaseBackupRun[];
  readonly lastArchived?: ArchiverCounters["lastArchived"];
  readonly lastFailure?: LastFailure | undefined;
}

export interface BaseBackupRun {
  readonly stoppedAt: string;
  readonly seconds: number;
}

export const NO_COUNTERS: ArchiverCounters = {
  archivedTotal: 0,
  givenUpTotal: 0,
  errorsTotal: 0,
  uploadedBytesTotal: 0,
  tailPiecesTotal: 0,
  requestsTotal: {},
  baseBackups: { count: 0, sumSeconds: 0, buckets: BASE_BACKUP_BOUNDS.map(() => 0), countedUntil: undefined },
  lastArchived: undefined,
  lastFailure: undefined,
};

export function addToCounters(counters: ArchiverCounters, change: CounterChange): ArchiverCounters {
  return {
    archivedTotal: counters.archivedTotal + (change.archived ?? 0),
    givenUpTotal: counters.givenUpTotal + (change.givenUp ?? 0),
    errorsTotal: counters.errorsTotal + (change.errors ?? 0),
    uploadedBytesTotal: counters.uploadedBytesTotal + (change.uploadedBytes ?? 0),
    tailPiecesTotal: counters.tailPiecesTotal + (change.tailPieces ?? 0),
    requestsTotal: sumOf(counters.requestsTotal, change.requests),
    baseBackups: (change.baseBackups ?? []).reduce(withRun, counters.baseBackups),
    lastArchived: newer(counters.lastArchived, change.lastArchived),
    lastFailure: newer(counters.lastFailure, change.lastFailure),
  };
}

/** Two changes, one after the other, as one. */
export function joinChanges(first: CounterChange, second: CounterChange): CounterChange {
  return {
    archived: (first.archived ?? 0) + (second.archived ?? 0),
    givenUp: (first.givenUp ?? 0) + (second.givenUp ?? 0),
    errors: (first.errors ?? 0) + (second.errors ?? 0),
    uploadedBytes: (first.uploadedBytes ?? 0) + (second.uploadedBytes ?? 0),
    tailPieces: (first.tailPieces ?? 0) + (second.tailPieces ?? 0),
    requests: sumOf(first.requests, second.requests),
    baseBackups: [...(first.baseBackups ?? []), ...(second.baseBackups ?? [])],
    lastArchived: newer(first.lastArchived, second.lastArchived),
    lastFailure: newer(first.lastFailure, second.lastFailure),
  };
}

/** Runs come in the order of their ends, and the same one may be told of by several processes. */
function withRun(histogram: DurationHistogram, { stoppedAt, seconds }: BaseBackupRun): DurationHistogram {
  if (histogram.countedUntil !== undefined && Date.parse(stoppedAt) <= Date.parse(histogram.countedUntil))
    return histogram;
  return {
    count: histogram.count + 1,
    sumSeconds: histogram.sumSeconds + seconds,
    buckets: BASE_BACKUP_BOUNDS.map((bound, index) => (histogram.buckets[index] ?? 0) + (seconds <= bound ? 1 : 0)),
    countedUntil: stoppedAt,
  };
}

function sumOf(
  first: Readonly<Record<string, number>> = {},
  second: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const sum = { ...first };
  for (const [name, count] of Object.entries(second)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

function newer<T extends { readonly at: string }>(first: T | undefined, second: T | undefined): T | undefined {
  if (first === undefined || second === undefined) return second ?? first;
  return Date.parse(second.at) >= Date.parse(first.at) ? second : first;
}
