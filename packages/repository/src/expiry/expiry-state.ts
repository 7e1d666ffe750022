import { SoarError } from "@soar/errors";
import { parseWalFileName, type TimelineHistory } from "@soar/pg-tools";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { listBackupDirectories, type BackupDirectory } from "../records/backup-record.ts";
import { WAL_PREFIX } from "../records/keys.ts";
import { findStarted, listLeases, type LeaseRecord, type StartedRecord } from "../records/marker-records.ts";
import { requireRepositoryRecord } from "../records/repository-record.ts";
import { requireTimelineHistory } from "../wal/timeline-files.ts";
import { parseWalKey } from "../wal/wal-key.ts";

/** What an expiry looks at. Read from the bucket by `readExpiryState`; a value, so that every rule can be tested. */
export interface ExpiryState {
  readonly now: Date;
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
  readonly now: Date;
}

/**
 * Reads what `planExpiry` decides upon. WAL is listed first and what protects backups last, so that whatever begins
 * meanwhile is either seen or younger than everything that could be removed. Rejects rather than to see less than there
 * is: `REPOSITORY_DAMAGED`, `WAL_MISSING` for a timeline without its history, and with every failure of the store.
 */
export async function readExpiryState(
  store: ObjectStore,
  { now, signal }: ReadExpiryStateOptions,
): Promise<ExpiryState> {
  const { walSegmentSize } = await requireRepositoryRecord(store, { signal });
  const { wal, newest } = await listWal(store, { signal });
  const timelines: TimelineState[] = [];
  for (const [timeline, lastArchivedAt] of newest)
    timelines.push({ history: await requireTimelineHistory(store, timeline, { signal }), lastArchivedAt });
  return { now, segmentSize: walSegmentSize, timelines, wal, ...(await readProtection(store, { signal })) };
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
): Promise<{ wal: ExpiryState["wal"]; newest: Map<number, Date> }> {
  const wal: ExpiryState["wal"][number][] = [];
  const newest = new Map<number, Date>();
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
    const file = parseWalFileName(object.name);
    if (file.kind === "other") continue;
    const last = newest.get(file.timeline);
    if (last === undefined || modifiedAt > last) newest.set(file.timeline, modifiedAt);
  }
  return { wal, newest };
}
