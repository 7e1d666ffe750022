import { statIfPresent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { formatWalSegment, parseWalSegment, segmentIndexOfLsn } from "@soar/pg-tools";
import { requireRepositoryRecord, requireSameCluster } from "@soar/repository";
import { listTimelineSegments } from "@soar/repository/wal";
import type { GapRecord } from "@soar/repository/markers";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readClusterIdentity, readControlOf } from "../cluster-identity.ts";
import { readArchiveStatus } from "../server-wal/archive-status.ts";
import { findOldestCommit } from "../server-wal/oldest-commit.ts";
import { finishedAt } from "../server-wal/wal-directory.ts";
import { walPath } from "../server-wal/wal-path.ts";

export interface PlanGapOptions extends CallOptions {
  readonly dataDir: string;
  /** First and last segment; what waits on the disk when they are left out. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** What will be given up, as a value that can be shown before anybody agrees. */
export interface GapPlan extends Pick<GapRecord, "from" | "to"> {
  /** Segments in the range. */
  readonly count: number;
  /** Those that the bucket does not hold: they are what is lost. */
  readonly missing: readonly string[];
  /** Of the missing ones, those that still wait in pg_wal and could be archived. */
  readonly waiting: readonly string[];
  readonly waitingBytes: number;
  /** First commit in what waits, and the moment at which its last segment was finished. */
  readonly firstCommit: string | undefined;
  readonly lastFinished: string | undefined;
}

const SEGMENT = /^[0-9A-F]{24}$/;

/**
 * Decides which segments a gap will cover. Rejects with `USAGE` for a range that cannot be given up, `REPOSITORY_MISSING` or
 * `REPOSITORY_FOREIGN` when the bucket is not this cluster's, and as the store does: a gap that the bucket cannot be told
 * of would be a hole that nobody sees.
 */
export async function planGap(store: ObjectStore, { dataDir, from, to, signal }: PlanGapOptions): Promise<GapPlan> {
  const cluster = await readClusterIdentity(walPath(dataDir, "x"));
  const { walSegmentSize: segmentSize } = cluster;
  requireSameCluster(await requireRepositoryRecord(store, { signal }), cluster, store.location);
  const { ready, done } = await readArchiveStatus(dataDir);
  const waitingNow = ready.filter((name) => SEGMENT.test(name));
  const range = requireRange({ from: from ?? waitingNow[0], to: to ?? waitingNow.at(-1) }, segmentSize);
  requireFinished(range, [
    ...waitingNow,
    ...done.filter((name) => SEGMENT.test(name)),
    ...(await beforeCheckpoint(dataDir)),
  ]);
  const names = Array.from({ length: range.last - range.first + 1 }, (_, step) =>
    formatWalSegment({ timeline: range.timeline, index: range.first + step }, segmentSize),
  );
  const { segments } = await listTimelineSegments(store, range.timeline, segmentSize, {
    fromIndex: range.first,
    signal,
  });
  const missing = names.filter((_, step) => !segments.has(range.first + step));
  if (missing.length === 0)
    throw new SoarError("USAGE", `nothing to give up: the bucket holds all of '${range.from}' to '${range.to}'`, {
      hint: "soar-wal-archive status shows what waits.",
    });
  const waiting = missing.filter((name) => waitingNow.includes(name));
  return {
    from: range.from,
    to: range.to,
    count: names.length,
    missing,
    waiting,
    ...(await describeWaiting(dataDir, waiting)),
  };
}

interface SegmentRange {
  readonly from: string;
  readonly to: string;
  readonly timeline: number;
  readonly first: number;
  readonly last: number;
}

function requireRange(
  { from, to }: { readonly from: string | undefined; readonly to: string | undefined },
  segmentSize: number,
): SegmentRange {
  if (from === undefined || to === undefined) {
    throw new SoarError("USAGE", "nothing to give up: no segment waits to be archived", {
      hint: "To declare a hole that is there already, name it with --from and --to; soar-base-backup list shows it.",
    });
  }
  const [first, last] = [parseWalSegment(from, segmentSize), parseWalSegment(to, segmentSize)];
  if (first.timeline !== last.timeline) {
    throw new SoarError("USAGE", `unable to give up '${from}' to '${to}': they are of different timelines`, {
      hint: "Name the segments of one timeline with --from and --to, and declare a gap for each.",
    });
  }
  if (first.index > last.index)
    throw new SoarError("USAGE", `unable to give up '${from}' to '${to}': the first one lies behind the last one`, {
      hint: "Exchange --from and --to.",
    });
  return { from, to, timeline: first.timeline, first: first.index, last: last.index };
}

/** WAL that does not exist yet must never be given up in advance: nobody would notice that it is lost. */
function requireFinished({ to }: SegmentRange, finished: readonly string[]): void {
  const newest = finished.reduce((most, name) => (name.slice(8) > most.slice(8) ? name : most), "0".repeat(24));
  if (to.slice(8) <= newest.slice(8)) return;
  throw new SoarError("USAGE", `unable to give up '${to}': the newest finished segment is '${newest}'`, {
    hint: "Only finished segments can be given up; name one up to the newest with --to.",
  });
}

/** An idle server may have removed every other trace of what it finished long ago. */
async function beforeCheckpoint(dataDir: string): Promise<string[]> {
  const { timeline, redoLsn, walSegmentSize } = await readControlOf(walPath(dataDir, "x"));
  const index = segmentIndexOfLsn(redoLsn, walSegmentSize) - 1;
  return index < 0 ? [] : [formatWalSegment({ timeline, index }, walSegmentSize)];
}

async function describeWaiting(
  dataDir: string,
  waiting: readonly string[],
): Promise<Pick<GapPlan, "waitingBytes" | "firstCommit" | "lastFinished">> {
  let waitingBytes = 0;
  for (const name of waiting) waitingBytes += (await statIfPresent(walPath(dataDir, name)))?.size ?? 0;
  const [first, last] = [waiting[0], waiting.at(-1)];
  return {
    waitingBytes,
    firstCommit: isoOf(first === undefined ? undefined : await findOldestCommit(walPath(dataDir, first), first, 0n)),
    lastFinished: isoOf(last === undefined ? undefined : await finishedAt(dataDir, last)),
  };
}

function isoOf(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
}
