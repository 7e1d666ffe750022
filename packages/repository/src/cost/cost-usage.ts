import type { CallOptions, ObjectStore } from "@soar/storage";
import { listBackupRecords } from "../records/backup-directories.ts";
import type { BackupRecord } from "../records/backup-record.ts";
import { BASE_PREFIX, TAIL_PREFIX, WAL_PREFIX } from "../records/keys.ts";

/** What is in the bucket, as far as it costs something. */
export interface StorageUsage {
  readonly baseBytes: number;
  /** Of `baseBytes`, what was stored more than 14 days ago: a cheaper tier could hold it. */
  readonly oldBaseBytes: number;
  readonly walBytes: number;
  readonly tailBytes: number;
  readonly storedBytes: number;
  readonly objects: number;
  /** Requests that stored something, parts of uploads and pieces of the tail included. */
  readonly putsPerMonth: number;
  /**
   * Pieces of the tail that are stored in a month, and their bytes, at the pace of those that are there: they are removed as
   * soon as their segment is archived, so that hardly any is ever seen. At the most, because a quiet server ships none.
   */
  readonly tailPutsPerMonth: number;
  readonly tailBytesPerMonth: number;
  /** The newest backup, and the WAL that was stored since it began. */
  readonly restoreBytes: number;
  /** Share by which the cluster grows in a month, from the sizes of its backups; 0 when there are less than two days of them. */
  readonly growthPerMonth: number;
  readonly retentionDays: number;
  /** Plain bytes over stored bytes of the newest full backup of each codec. */
  readonly ratios: Readonly<Partial<Record<BackupRecord["codec"], number>>>;
  /** Share of a full backup that the newest incremental added; undefined without one. */
  readonly incrementalShare: number | undefined;
}

export interface ReadUsageOptions extends CallOptions {
  readonly now: Date;
  readonly retentionDays: number;
}

const DAY_MS = 86_400_000;
const DAYS_PER_MONTH = 365.25 / 12;
const TIER_AGE_MS = 14 * DAY_MS;
/** Larger objects are uploaded in parts of at least this size. */
const PART_SIZE = 8 * 1024 * 1024;

/** Reads listings only. */
export async function readStorageUsage(
  store: ObjectStore,
  { now, retentionDays, signal }: ReadUsageOptions,
): Promise<StorageUsage> {
  const records = await listBackupRecords(store, { signal });
  const newest = records.at(-1);
  const restoreFrom = newest === undefined ? Infinity : Date.parse(newest.startedAt);
  const sum = { base: 0, oldBase: 0, wal: 0, tail: 0, walSince: 0, objects: 0 };
  const puts: { readonly at: number; readonly count: number }[] = [];
  const pieces: { readonly at: number; readonly size: number }[] = [];
  for (const [prefix, what] of [
    [BASE_PREFIX, "base"],
    [WAL_PREFIX, "wal"],
    [TAIL_PREFIX, "tail"],
  ] as const) {
    for await (const { size, modifiedAt } of store.list(prefix, { signal })) {
      sum[what] += size;
      sum.objects += 1;
      if (what === "base" && now.getTime() - modifiedAt.getTime() > TIER_AGE_MS) sum.oldBase += size;
      if (what === "wal" && modifiedAt.getTime() >= restoreFrom) sum.walSince += size;
      if (what === "tail") pieces.push({ at: modifiedAt.getTime(), size });
      else puts.push({ at: modifiedAt.getTime(), count: Math.max(1, Math.ceil(size / PART_SIZE)) });
    }
  }
  const tail = tailPerMonth(pieces);
  return {
    baseBytes: sum.base,
    oldBaseBytes: sum.oldBase,
    walBytes: sum.wal,
    tailBytes: sum.tail,
    storedBytes: sum.base + sum.wal + sum.tail,
    objects: sum.objects,
    putsPerMonth: perMonth(puts, now) + tail.puts,
    tailPutsPerMonth: tail.puts,
    tailBytesPerMonth: tail.bytes,
    restoreBytes: (newest?.sizes.stored ?? 0) + sum.walSince,
    growthPerMonth: growthOf(records),
    retentionDays,
    ratios: Object.fromEntries(
      records
        .filter(({ kind }) => kind === "full")
        .map(({ codec, sizes }) => [codec, sizes.tar / Math.max(1, sizes.stored)]),
    ),
    incrementalShare: incrementalShareOf(records),
  };
}

/** The rate of the last month, or of the time since the oldest object where that is shorter. */
function perMonth(puts: readonly { readonly at: number; readonly count: number }[], now: Date): number {
  const since = now.getTime() - DAYS_PER_MONTH * DAY_MS;
  const recent = puts.filter(({ at }) => at >= since);
  const oldest = puts.reduce((least, { at }) => Math.min(least, at), now.getTime());
  const days = Math.max(1, (now.getTime() - Math.max(oldest, since)) / DAY_MS);
  return (recent.reduce((total, { count }) => total + count, 0) / days) * DAYS_PER_MONTH;
}

/** A single piece has no pace: it counts as one. */
function tailPerMonth(pieces: readonly { readonly at: number; readonly size: number }[]): {
  readonly puts: number;
  readonly bytes: number;
} {
  const bytes = pieces.reduce((sum, { size }) => sum + size, 0);
  const times = pieces.map(({ at }) => at);
  const span = Math.max(...times) - Math.min(...times);
  if (pieces.length < 2 || span <= 0) return { puts: pieces.length, bytes };
  const intervals = (DAYS_PER_MONTH * DAY_MS) / span;
  return { puts: (pieces.length - 1) * intervals, bytes: bytes * (1 - 1 / pieces.length) * intervals };
}

function growthOf(records: readonly BackupRecord[]): number {
  const [first, last] = [records[0], records.at(-1)];
  if (first === undefined || last === undefined || first.sizes.database === 0) return 0;
  const days = (Date.parse(last.stoppedAt) - Date.parse(first.stoppedAt)) / DAY_MS;
  return days < 2 ? 0 : ((last.sizes.database / first.sizes.database - 1) / days) * DAYS_PER_MONTH;
}

function incrementalShareOf(records: readonly BackupRecord[]): number | undefined {
  const incremental = records.findLast(({ kind }) => kind === "incremental");
  return incremental === undefined ? undefined : incremental.sizes.new / Math.max(1, incremental.sizes.stored);
}
