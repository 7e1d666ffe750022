import { setTimeout as delay } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import { formatWalSegment, parseLsn, segmentIndexOfLsn } from "@soar/pg-tools";
import {
  readArchiverState,
  type ArchiverState,
  type ServerFacts,
  type SqlConnection,
} from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import type { RunningBackup } from "../source/backup-source.ts";
import { findMissingSegment } from "../prove/wait-for-wal.ts";

export interface FirstSegmentOptions extends Pick<WatchOptions, "segmentSize" | "patienceMs"> {
  /** Number of the segment that the server wrote to before the backup began; undefined on a standby. */
  readonly writtenTo: number | undefined;
  readonly running: Pick<RunningBackup, "startLsn" | "startTimeline">;
  /** Aborted when archiving is stuck. */
  readonly stop: AbortController;
  /** Called when the server's archiver was seen to store that segment. */
  readonly onArchived: (name: string) => void;
}

export interface FirstSegmentWatch extends AsyncDisposable {
  /** What it stopped the copying for. */
  failure(): unknown;
  /** When the server's archiver was seen to store the segment in this bucket, by `performance.now()`; undefined where it was not. */
  archivedAt(): number | undefined;
}

/**
 * Beginning a backup finishes the segment that the server was writing to: from now on that one is watched on its way. A
 * standby's archive was asked for before. Where nothing had been written since the last switch, the segment before is an old one,
 * and this bucket need not have it.
 */
export function watchFirstSegment(
  store: ObjectStore,
  sql: SqlConnection,
  { segmentSize, patienceMs, writtenTo, running, stop, onArchived }: FirstSegmentOptions,
): FirstSegmentWatch {
  const segment = { timeline: running.startTimeline, index: segmentIndexOfLsn(running.startLsn, segmentSize) - 1 };
  if (writtenTo === undefined || segment.index < writtenTo)
    return { failure: () => undefined, archivedAt: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
  let failure: unknown;
  let archivedAt: number | undefined;
  const end = new AbortController();
  const watched = watchArchiving(store, sql, { ...segment, segmentSize, patienceMs, signal: end.signal }).then(
    () => {
      archivedAt = performance.now();
      onArchived(formatWalSegment(segment, segmentSize));
    },
    (error: unknown) => {
      if (end.signal.aborted) return;
      failure = error;
      stop.abort(error);
    },
  );
  return {
    failure: () => failure,
    archivedAt: () => archivedAt,
    async [Symbol.asyncDispose]() {
      end.abort();
      await watched;
    },
  };
}

/** Number of the segment that the server writes to. */
export async function readWrittenSegment(
  sql: SqlConnection,
  { walSegmentSize }: ServerFacts,
  options: { readonly signal: AbortSignal },
): Promise<number> {
  const [row] = await sql.query<{ lsn: string }>("SELECT pg_current_wal_insert_lsn()::text AS lsn", [], options);
  return segmentIndexOfLsn(parseLsn(row?.lsn ?? ""), walSegmentSize);
}

interface WatchOptions {
  readonly timeline: number;
  /** Number of a segment that the server finished when the backup began. */
  readonly index: number;
  readonly segmentSize: number;
  /** How long archiving may fail, or the segment be archived elsewhere, in milliseconds. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/** A command that is slow, for a large segment over a thin line, looks as one that hangs. */
const HANGING_FACTOR = 5;

/**
 * Watches one finished segment on its way into the bucket while the backup is copied: an archive command that hangs, or
 * stores elsewhere, counts no failure in the server, and would be found out after hours of copying. Resolves when the
 * segment is there. A backlog that moves is waited for. Rejects with `WAL_TIMEOUT`.
 */
async function watchArchiving(store: ObjectStore, sql: SqlConnection, options: WatchOptions): Promise<void> {
  const { timeline, index, segmentSize, patienceMs, signal } = options;
  const name = formatWalSegment({ timeline, index }, segmentSize);
  let seen: ArchiverState | undefined;
  let movedAt = performance.now();
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    if (
      (await findMissingSegment(store, { timeline, segmentSize, fromIndex: index, toIndex: index, signal })) ===
      undefined
    )
      return;
    const state = await readArchiverState(sql, signal);
    // When the server counts the segment as archived, what it does next says nothing about this bucket.
    if (state.archivedCount !== seen?.archivedCount && !(seen !== undefined && isArchived(name, seen)))
      movedAt = performance.now();
    seen = state;
    const limitMs = state.failing || isArchived(name, state) ? patienceMs : patienceMs * HANGING_FACTOR;
    if (performance.now() - movedAt > limitMs) throw stuck(name, state, limitMs);
    await delay(Math.min(pause, patienceMs), undefined, { signal });
  }
}

/** Whether the server's archiver is past this segment of the same timeline. */
function isArchived(name: string, { lastArchived: last }: ArchiverState): boolean {
  return last !== undefined && last.slice(0, 8) === name.slice(0, 8) && last.slice(0, 24) >= name;
}

function stuck(name: string, state: ArchiverState, limitMs: number): SoarError {
  const [fact, hint] = explain(name, state);
  return new SoarError(
    "WAL_TIMEOUT",
    `unable to go on with the backup: WAL segment '${name}' was finished when it began and is not in the bucket: ${fact} for ${Math.round(limitMs / 1000)} s`,
    {
      hint: `${hint} Then take the backup again. Nothing that looks like a backup was left behind.`,
    },
  );
}

function explain(name: string, state: ArchiverState): [fact: string, hint: string] {
  if (state.failing)
    return [
      `the server's archive command has failed for '${state.lastFailed}'`,
      "Look for 'archive command failed' in the server's log and repair archiving.",
    ];
  if (isArchived(name, state))
    return [
      "the server has counted it as archived",
      "Its archive_command stores elsewhere: set archive_command = '/usr/local/bin/soar-wal-archive %p %f' with the same bucket and prefix.",
    ];
  return [
    "the server's archive command has neither succeeded nor failed",
    "It hangs: look for it among the server's processes, end it, and find out what it waits for.",
  ];
}
