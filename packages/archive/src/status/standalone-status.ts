import { formatWalSegment, parseLsn, segmentIndexOfLsn } from "@soar/pg-tools";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readClusterIdentity } from "../cluster-identity.ts";
import { compareArchiveOrder, readArchiveStatus } from "../server-wal/archive-status.ts";
import { walPath } from "../server-wal/wal-path.ts";
import { readArchiverStatus, type ArchiverStatus } from "./archiver-status.ts";
import { MOST_LEFTOVERS, viewBucket } from "./bucket-view.ts";
import { readCounters } from "./counters-file.ts";
import { findOldestCommit } from "../server-wal/oldest-commit.ts";
import { createPositionHistory } from "../server-wal/position-history.ts";
import type { RepositoryFacts } from "./repository-facts.ts";
import { finishedAt, readFinishedSegments, readWalDirectory } from "../server-wal/wal-directory.ts";

export interface StandaloneOptions extends CallOptions {
  readonly dataDir: string;
  readonly spoolDir: string;
  /** Where to look what is archived; without it PostgreSQL's own word is all there is. */
  readonly store?: ObjectStore | undefined;
  readonly repository: RepositoryFacts | undefined;
  /** How far the server's WAL goes, if it could be asked. */
  readonly flushLsn?: bigint | undefined;
  readonly problems?: readonly string[];
  readonly now: Date;
}

/**
 * The status without a resident archiver: from `archive_status`, the spool's counters, the bucket, and WAL itself. Rejects
 * with `WAL_INVALID` without a data directory, and as the store does.
 */
export async function readStandaloneStatus({
  dataDir,
  spoolDir,
  store,
  repository,
  flushLsn,
  problems = [],
  now,
  signal,
}: StandaloneOptions): Promise<ArchiverStatus> {
  const cluster = await readClusterIdentity(walPath(dataDir, "x"));
  const { walSegmentSize: segmentSize } = cluster;
  const told = await readArchiveStatus(dataDir);
  const history = createPositionHistory(await readFinishedSegments(dataDir, segmentSize));
  if (flushLsn !== undefined) history.add(flushLsn, now.getTime());
  const bucket = store && (await viewBucket(store, told, { segmentSize, gaps: repository?.gaps ?? [], signal }));
  const pending = told.ready.filter((name) => bucket?.present.has(name) !== true);
  const missing = [...(bucket?.missing ?? [])].sort(compareArchiveOrder);
  const archived = [...told.done.filter((name) => !missing.includes(name)), ...(bucket?.present ?? [])];
  const status = readArchiverStatus({
    isResident: false,
    cluster,
    queue: { state: { pending, archived }, inFlight: 0 },
    missing,
    statistics: { counters: await readCounters(spoolDir), filesPerSecond: undefined, hourly: undefined },
    history,
    oldestPendingAtMs: pending[0] === undefined ? undefined : await finishedAt(dataDir, pending[0]),
    tailLsn: bucket?.tailLsn,
    tailIntervalMs: undefined,
    walDirectory: await readWalDirectory(dataDir),
    repository,
    problems: [...problems, ...tailProblems(bucket?.leftoverTails ?? [])],
    now,
  });
  return store === undefined ? status : await withOldestCommit(status, { dataDir, segmentSize, now });
}

/** An archiver that stops leaves the tail of the segment that it was at; more of them stay where none may be removed. */
function tailProblems(leftover: readonly string[]): string[] {
  const [first] = leftover;
  if (first === undefined || leftover.length === 1) return [];
  const count = leftover.length < MOST_LEFTOVERS ? String(leftover.length) : `${MOST_LEFTOVERS} or more`;
  return [
    `The tails of ${count} archived segments stay in the bucket, the first that of ${first}: the resident archiver removes them when it runs and its key may delete, else only a lifecycle rule does. soar-backup-verify lifecycle prints one, soar-backup-verify doctor looks whether there is one.`,
  ];
}

/** Nobody watched the server, but its WAL says when the first commit was that the bucket lacks. */
async function withOldestCommit(
  status: ArchiverStatus,
  { dataDir, segmentSize, now }: { readonly dataDir: string; readonly segmentSize: number; readonly now: Date },
): Promise<ArchiverStatus> {
  const { durableLsn, timeline, unarchivedBytes } = status;
  if (unarchivedBytes === 0 || durableLsn === undefined || timeline === undefined) return status;
  const from = parseLsn(durableLsn);
  const name = formatWalSegment({ timeline, index: segmentIndexOfLsn(from, segmentSize) }, segmentSize);
  const commit = await findOldestCommit(walPath(dataDir, name), name, from);
  return commit === undefined
    ? status
    : { ...status, oldestUnarchivedSeconds: Math.max(0, (now.getTime() - commit) / 1000) };
}
