import { formatWalSegment, parseLsn, segmentIndexOfLsn, timelineOfSegment } from "@soar/pg-tools";
import type { ServerFacts, SqlConnection } from "@soar/pg-tools/replication";
import { findTimelineHistory, listTimelines } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import { findMissingSegment, waitForWal } from "../prove/wait-for-wal.ts";

export interface StandbyOptions {
  /** How long the WAL before the one that is replayed may take to be in the bucket, in milliseconds. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A standby's WAL is archived by its primary, which cannot be asked. What can be told early: the segment before the one
 * that the standby replays is finished, so it must be in the bucket. Rejects with `WAL_TIMEOUT` otherwise.
 */
export async function requirePrimaryArchives(
  store: ObjectStore,
  sql: SqlConnection,
  facts: ServerFacts,
  { patienceMs, signal }: StandbyOptions,
): Promise<void> {
  const [row] = await sql.query<{ lsn: string | null; timeline: number | null }>(
    "SELECT pg_last_wal_replay_lsn()::text AS lsn, (SELECT received_tli FROM pg_stat_wal_receiver) AS timeline",
    [],
    { signal },
  );
  if (row?.lsn == null) return;
  const index = segmentIndexOfLsn(parseLsn(row.lsn), facts.walSegmentSize) - 1;
  if (index < 1) return;
  const range = { segmentSize: facts.walSegmentSize, fromIndex: index, toIndex: index, signal };
  const timelines = await timelinesOfSegment(
    store,
    { own: facts.timeline, received: row.timeline ?? undefined },
    { index, ...range },
  );
  for (const each of timelines)
    if ((await findMissingSegment(store, { timeline: each, ...range })) === undefined) return;
  const timeline = timelines.at(-1) ?? facts.timeline;
  const name = formatWalSegment({ timeline, index }, facts.walSegmentSize);
  const describeArchiver = () =>
    Promise.resolve(`the standby has replayed '${name}' already, so its primary does not archive into this bucket`);
  await waitForWal(store, { timeline, ...range, timeoutMs: patienceMs, describeArchiver });
}

/**
 * Timelines that a segment may belong to on the way that the standby follows. Behind a failover the segment before the one
 * that is replayed is still the old primary's; and a standby that reads the archive, not a primary, only tells the timeline of its
 * last restart point, behind which it may have followed any that begins there.
 */
async function timelinesOfSegment(
  store: ObjectStore,
  { own, received }: { readonly own: number; readonly received: number | undefined },
  {
    index,
    segmentSize,
    signal,
  }: { readonly index: number; readonly segmentSize: number; readonly signal?: AbortSignal | undefined },
): Promise<number[]> {
  const followed =
    received === undefined
      ? [own, ...(await listTimelines(store, { signal })).filter((timeline) => timeline > own)]
      : [received];
  const possible = new Set<number>();
  for (const timeline of followed) {
    const history = await findTimelineHistory(store, timeline, { signal });
    if (history === undefined) possible.add(timeline);
    else if (timeline === own || timeline === received || history.entries.some((entry) => entry.timeline === own))
      possible.add(timelineOfSegment(history, index, segmentSize));
  }
  return [...possible];
}

/** `BASE_BACKUP` switches the segment on a primary; on a standby nobody can, and the last one stays open while it is quiet. */
export function describePrimary(): Promise<string> {
  return Promise.resolve(
    "the backup was taken from a standby, whose last segment is archived when the primary has filled it: SELECT pg_switch_wal() there finishes it at once",
  );
}
