import type { ServerFacts, SqlConnection } from "@soar/pg-tools/replication";
import type { ArchiveWal } from "@soar/restore";
import { createCodecPool } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import type { TakeBackupOptions } from "./backup-options.ts";
import { type ChangesBase, leaveUnread } from "./changes/leave-unread.ts";
import { watchBackupLock } from "./claim/backup-lock.ts";
import type { TransferredArchives } from "./compose-record.ts";
import { type FirstSegmentWatch, readWrittenSegment, watchFirstSegment } from "./health/watch-archiving.ts";
import type { TrackedMembers } from "./incremental-base.ts";
import { archiveOwnWal } from "./prove/archive-own-wal.ts";
import type { RunningBackup, StopPosition } from "./source/backup-source.ts";
import { storeArchives } from "./store/store-archives.ts";

/** For an incremental: what earlier backups hold. */
export interface EarlierBackups extends ChangesBase {
  readonly members: TrackedMembers;
}

export interface TransferOptions {
  readonly options: TakeBackupOptions;
  readonly label: string;
  /** The session that holds the lock. */
  readonly sql: SqlConnection;
  readonly facts: ServerFacts;
  readonly existing: EarlierBackups | undefined;
}

/** Takes the cluster from the server into the bucket, from the begin of the backup to its end. */
export async function transfer(
  store: ObjectStore,
  { options, label, sql, facts, existing }: TransferOptions,
): Promise<TransferredArchives> {
  const { onEvent, codec, level, jobs, checkpoint, rateLimitBytes } = options;
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const writtenTo = facts.inRecovery ? undefined : await readWrittenSegment(sql, facts, { signal });
  // It needs to know what runs, and what runs calls it.
  const own: { wal?: OwnWalWork } = {};
  await using running = await options.source.begin({
    label: `soar ${label}`,
    checkpoint,
    rateLimitBytes,
    signal,
    onProgress: (done, total) => onEvent?.({ type: "progress", done, total }),
    onStopped: (stopped) => own.wal?.begin(stopped),
  });
  using lock = watchBackupLock(sql, { intervalMs: options.lockIntervalMs, stop });
  await using watch = watchFirstSegment(store, sql, {
    segmentSize: facts.walSegmentSize,
    patienceMs: options.archiverPatienceMs,
    writtenTo,
    running,
    stop,
    onArchived: (name) => onEvent?.({ type: "archiver-seen", name }),
  });
  await using wal = createOwnWal(store, {
    archiveWal: options.archiveWal,
    freshMs: options.archiverFreshMs,
    segmentSize: facts.walSegmentSize,
    running,
    watch,
    signal,
    stop,
  });
  own.wal = wal;
  const pool = createCodecPool({ workers: jobs });
  try {
    const unchanged = existing && (await leaveUnread(store, existing, { ...options, facts, running, pool, signal }));
    const stored = await storeArchives(store, running, {
      label,
      codec,
      level,
      pool,
      walSegmentSize: facts.walSegmentSize,
      existing: existing?.members,
      unchanged,
      signal,
      now: options.now,
    });
    const unreadBytes = unchanged?.bytes();
    if (unreadBytes !== undefined) onEvent?.({ type: "left-unread", bytes: unreadBytes });
    return { ...stored, unreadBytes, walDoubt: await wal.end() };
  } catch (error) {
    throw lock.failure() ?? watch.failure() ?? wal.failure() ?? error;
  } finally {
    await pool.close();
  }
}

interface OwnWalOptions {
  readonly archiveWal: ArchiveWal | undefined;
  readonly freshMs: number | undefined;
  readonly segmentSize: number;
  readonly running: RunningBackup;
  readonly watch: FirstSegmentWatch;
  readonly signal: AbortSignal;
  /** Aborted when this repository cannot have the WAL. */
  readonly stop: AbortController;
}

interface OwnWalWork extends AsyncDisposable {
  begin(stopped: StopPosition): void;
  /** Resolves with why something was left to the server's archiver; undefined where nothing was. */
  end(): Promise<string | undefined>;
  /** What it stopped the backup for. */
  failure(): unknown;
}

/** Longer ago an archiver that worked may hang by now, which the server does not count, and waiting for it is little beside the copying. */
const FRESH_MS = 10 * 60_000;

function isFresh(seenAt: number | undefined, freshMs = FRESH_MS): boolean {
  return seenAt !== undefined && performance.now() - seenAt < freshMs;
}

/**
 * Archives the newest of the backup's WAL from here, while the end of the archives is stored. Only where the server's own archiver was
 * just seen to store another segment in this bucket, the one that was finished when the backup began: otherwise the backup waits for
 * it, and tells when it stores nothing, or stores elsewhere.
 */
function createOwnWal(store: ObjectStore, options: OwnWalOptions): OwnWalWork {
  const { archiveWal, freshMs, segmentSize, running, watch, stop } = options;
  const abandon = new AbortController();
  const signal = AbortSignal.any([options.signal, abandon.signal]);
  let work: Promise<string | undefined> | undefined;
  let failure: unknown;
  return {
    begin({ stopLsn, timeline }) {
      const { local, startLsn } = running;
      if (archiveWal === undefined || local === undefined || !isFresh(watch.archivedAt(), freshMs)) return;
      const wal = { dataDirectory: local.dataDirectory, startLsn, stopLsn, timeline, segmentSize };
      work = archiveOwnWal(store, wal, { archiveWal, signal });
      work.catch((error: unknown) => {
        if (signal.aborted) return;
        failure = error;
        stop.abort(error);
      });
    },
    end: async () => await work,
    failure: () => failure,
    async [Symbol.asyncDispose]() {
      abandon.abort();
      // Its failure was thrown already, or is of this abort.
      await work?.catch(() => undefined);
    },
  };
}
