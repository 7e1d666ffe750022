import { SoarError } from "@soar/errors";
import { parseWalFileName, type TimelineHistory, type WalFileName } from "@soar/pg-tools";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { listBackupDirectories, type BackupDirectory } from "../records/backup-directories.ts";
import { BASE_PREFIX, WAL_PREFIX } from "../records/keys.ts";
import { findStarted, listLeases, type LeaseRecord, type StartedRecord } from "../markers/marker-records.ts";
import {
  boundsOf,
  leapOf,
  proveTime,
  type ProvedTime,
  type StampBounds,
  type StampedBackup,
} from "../time/proved-time.ts";
import { requireRepositoryRecord } from "../records/repository-record.ts";
import { readTimelines } from "../wal/read-timelines.ts";
import { strangeWalObject } from "../wal/wal-inventory.ts";
import { parseWalKey, type WalObject } from "../wal/wal-key.ts";

/** What an expiry looks at. Read from the bucket by `readExpiryState`; a value, so that every rule can be tested. */
export interface ExpiryState {
  /** Proved: see `proveTime`. */
  readonly time: ProvedTime;
  readonly segmentSize: number;
  readonly backups: readonly BackupDirectory[];
  /** `started.json` of directories without a record. */
  readonly started: ReadonlyMap<string, StartedRecord>;
  readonly leases: readonly LeaseRecord[];
  /** One per timeline of which anything is in the bucket. */
  readonly timelines: readonly TimelineState[];
  /** Every object below `wal/`. */
  readonly wal: readonly { readonly key: string; readonly name: string; readonly size: number }[];
}

export interface TimelineState {
  readonly history: TimelineHistory;
  /** When the newest WAL object of this timeline was stored. */
  readonly lastArchivedAt: Date | undefined;
}

export interface ReadExpiryStateOptions extends CallOptions {
  /** This machine's clock. */
  readonly now: Date;
  /**
   * The newest stamp before this run stored anything, see `readStamps`. It counts only in a store on this machine, whose stamps are
   * this machine's own; where a server stamps, what this run has just stored is the best proof there is.
   */
  readonly stampBefore?: Date | undefined;
  /** Somebody has compared this machine's clock: time that nothing in the bucket shows to have passed is counted, too. */
  readonly trustClock?: boolean | undefined;
  /** What is to be decided looks back so far: a leap of time that lies further back changes nothing. Without it none lies too far back. */
  readonly windowDays?: number | undefined;
}

/**
 * Reads what `planExpiry` decides upon. WAL is listed first and what protects backups last, so that whatever begins
 * meanwhile is either seen or younger than everything that could be removed. Rejects rather than to see less than there
 * is: `REPOSITORY_DAMAGED`, `WAL_MISSING` for a timeline without its history, and with every failure of the store.
 */
export async function readExpiryState(
  store: ObjectStore,
  { now, stampBefore, trustClock = false, windowDays, signal }: ReadExpiryStateOptions,
): Promise<ExpiryState> {
  const { walSegmentSize } = await requireRepositoryRecord(store, { signal });
  const { wal, newest, stamps } = await listWal(store, { signal });
  const { histories, unreadable } = await readTimelines(store, newest.keys(), { signal });
  // Which WAL leads to it is unknown. Where there is none of its own, nothing depends on it.
  for (const { timeline, reason } of unreadable) if (hasSegments(wal, timeline)) throw reason;
  const timelines = histories.map((history): TimelineState => ({
    history,
    lastArchivedAt: newest.get(history.timeline),
  }));
  const protection = await readProtection(store, { signal });
  const isOwnStamp = store.features.server === undefined && stampBefore !== undefined;
  const all = [...stamps, ...recordedAt(protection.backups)].filter((stamp) => !isOwnStamp || stamp <= stampBefore);
  const newestStamp = isOwnStamp ? stampBefore : newestOf([...newest.values(), ...recordedAt(protection.backups)]);
  const time = proveTime({
    clock: now,
    newestStamp,
    // Wherever the stamps come from: a server on this machine, or beside it on one host, leaps together with it.
    leapMs: trustClock
      ? 0
      : leapOf(all, lookBack(newestStamp !== undefined && newestStamp < now ? newestStamp : now, windowDays)),
    backups: protection.backups.flatMap(stampedBackup),
  });
  return { time, segmentSize: walSegmentSize, timelines, wal, ...protection };
}

/** Leases and runs are judged by hours and days, however short the window is. */
const SHORTEST_LOOK_BACK_DAYS = 7;

function lookBack(now: Date, windowDays: number | undefined): Date | undefined {
  if (windowDays === undefined) return undefined;
  return new Date(now.getTime() - Math.max(windowDays, SHORTEST_LOOK_BACK_DAYS) * 86_400_000);
}

function hasSegments(wal: ExpiryState["wal"], timeline: number): boolean {
  return wal.some(({ name }) => {
    const file = parseWalFileName(name);
    return file.kind !== "other" && file.kind !== "history" && file.timeline === timeline;
  });
}

/** When objects of WAL and backups were stored, as the store says: the newest of them, and the newest that no leap of time has made. */
export async function readStamps(store: ObjectStore, { signal }: CallOptions = {}): Promise<StampBounds> {
  const stamps: Date[] = [];
  for (const prefix of [WAL_PREFIX, BASE_PREFIX])
    for await (const { modifiedAt } of store.list(prefix, { signal })) stamps.push(modifiedAt);
  return boundsOf(stamps);
}

function recordedAt(backups: readonly BackupDirectory[]): Date[] {
  return backups.flatMap((backup) => backup.recordedAt ?? []);
}

function stampedBackup({ label, record, recordedAt: stamp }: BackupDirectory): StampedBackup[] {
  return record === undefined ? [] : [{ label, stoppedAt: new Date(record.stoppedAt), recordedAt: stamp }];
}

function newestOf(stamps: readonly Date[]): Date | undefined {
  return stamps.reduce<Date | undefined>(
    (newest, stamp) => (newest === undefined || stamp > newest ? stamp : newest),
    undefined,
  );
}

/** The part of the state that other runs change while an expiry goes on. */
export async function readProtection(
  store: ObjectStore,
  options: CallOptions,
): Promise<Pick<ExpiryState, "backups" | "started" | "leases">> {
  const backups = await listBackupDirectories(store, options);
  return { backups, started: await readStarted(store, backups, options), leases: await listLeases(store, options) };
}

/** `started.json` of every directory that is no complete backup. */
export async function readStarted(
  store: ObjectStore,
  backups: readonly BackupDirectory[],
  options: CallOptions,
): Promise<Map<string, StartedRecord>> {
  const started = new Map<string, StartedRecord>();
  for (const { label, record } of backups) {
    const found = record === undefined ? await findStarted(store, label, options) : undefined;
    if (found !== undefined) started.set(label, found);
  }
  return started;
}

async function listWal(
  store: ObjectStore,
  options: CallOptions,
): Promise<{ wal: ExpiryState["wal"]; newest: Map<number, Date>; stamps: Date[] }> {
  const wal: ExpiryState["wal"][number][] = [];
  const newest = new Map<number, Date>();
  const stamps: Date[] = [];
  for await (const { key, size, modifiedAt } of store.list(WAL_PREFIX, options)) {
    const object = parseWalKey(key, size);
    if (object === undefined) {
      throw new SoarError(
        "REPOSITORY_VERSION",
        `unable to expire anything: '${store.location}/${key}' is in a form that this version cannot read`,
        {
          hint: "Use a version of the tools that knows encryption.",
        },
      );
    }
    wal.push({ key, name: object.name, size });
    stamps.push(modifiedAt);
    const file = walFileOf(store, object);
    if (file.kind === "other") continue;
    const last = newest.get(file.timeline);
    if (last === undefined || modifiedAt > last) newest.set(file.timeline, modifiedAt);
  }
  return { wal, newest, stamps };
}

function walFileOf(store: ObjectStore, { name, key }: WalObject): WalFileName {
  try {
    return parseWalFileName(name);
  } catch (cause) {
    throw strangeWalObject(store, key, cause);
  }
}
