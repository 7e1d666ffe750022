import { hasErrorCode, SoarError } from "@soar/errors";
import { compareLsn, parseLsn } from "@soar/pg-tools";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { MemoryBudget } from "@soar/task-pool";
import { provedEnd } from "../time/proved-time.ts";
import { isBackupLabel } from "./backup-label.ts";
import { requireBackupRecord, type BackupRecord } from "./backup-record.ts";
import { LARGEST_RECORD } from "./json-record.ts";
import { BACKUP_OBJECTS, BASE_PREFIX, backupKey, parseBackupKey } from "./keys.ts";
import { ListedRecords } from "./listed-records.ts";

/** One directory below `base/`, complete or not. */
export interface BackupDirectory {
  readonly label: string;
  /** Undefined for a backup that is running or was interrupted, and for one whose record cannot be read. */
  readonly record: BackupRecord | undefined;
  /** Why `backup.json`, which is there, cannot be read. What such a backup refers to is unknown. */
  readonly damage: SoarError | undefined;
  /** Whether that record is whole, and only had no room beside those that others have put there. */
  readonly isCrowdedOut?: boolean | undefined;
  /** Every object below it, by name, with its size. */
  readonly objects: ReadonlyMap<string, number>;
  /** When the store says that `backup.json` was stored. */
  readonly recordedAt: Date | undefined;
  /**
   * When the backup ended, as far as that is proved: no later than its record was stored, and no earlier than a backup of an
   * earlier position on the same timeline. Its record has the time by its host's clock, which may have been wrong.
   */
  readonly endedAt: Date | undefined;
  readonly kept: boolean;
}

/** Everything below `base/`, in ascending order of label. Objects that belong to no label are an error. */
export async function listBackupDirectories(store: ObjectStore, options: CallOptions = {}): Promise<BackupDirectory[]> {
  const byLabel = new Map<string, Map<string, number>>();
  const recordedAt = new Map<string, Date>();
  for await (const { key, size, modifiedAt } of store.list(BASE_PREFIX, options)) {
    const parsed = parseBackupKey(key);
    if (parsed === undefined || !isBackupLabel(parsed.label)) {
      throw new SoarError("REPOSITORY_DAMAGED", `'${store.location}/${key}' is not an object of this repository`, {
        hint: "Move objects that soar did not write out of the repository's prefix.",
      });
    }
    const objects = byLabel.get(parsed.label) ?? new Map<string, number>();
    byLabel.set(parsed.label, objects.set(parsed.name, size));
    if (parsed.name === BACKUP_OBJECTS.record) recordedAt.set(parsed.label, modifiedAt);
  }
  const listed = [...byLabel].map(([label, objects]) => ({ label, objects, recordedAt: recordedAt.get(label) }));
  const directories = await readDirectories(store, listed, options);
  const ends = provedEnds(directories);
  return directories.map((directory) => ({ ...directory, endedAt: ends.get(directory.label) }));
}

type Listed = Pick<BackupDirectory, "label" | "objects" | "recordedAt">;

/** Bytes of records that are read at once, whatever their number. */
const READ_AT_ONCE_BYTES = LARGEST_RECORD;

/** In ascending order of label. Small records are read, and kept, before large ones: what is too large hides nobody else's. */
async function readDirectories(
  store: ObjectStore,
  listed: readonly Listed[],
  { signal }: CallOptions,
): Promise<Omit<BackupDirectory, "endedAt">[]> {
  const budget = new MemoryBudget(READ_AT_ONCE_BYTES);
  const records = new ListedRecords();
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const work = listed
    .toSorted((a, b) => recordBytes(a) - recordBytes(b))
    .map(async (one) => {
      using _held = await budget.take(recordBytes(one), stop);
      return await readDirectory(store, one, records, { signal: stop });
    });
  try {
    const read = await Promise.all(work);
    return read.sort((a, b) => (a.label < b.label ? -1 : 1));
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(work);
    throw error;
  }
}

function recordBytes({ objects }: Listed): number {
  return objects.get(BACKUP_OBJECTS.record) ?? 0;
}

async function readDirectory(
  store: ObjectStore,
  listed: Listed,
  records: ListedRecords,
  options: CallOptions,
): Promise<Omit<BackupDirectory, "endedAt">> {
  const { label, objects } = listed;
  const directory = { ...listed, kept: objects.has(BACKUP_OBJECTS.keep) };
  if (!objects.has(BACKUP_OBJECTS.record)) return { ...directory, record: undefined, damage: undefined };
  let isCrowdedOut = false;
  try {
    const record = await requireBackupRecord(store, label, options);
    isCrowdedOut = true;
    const where = `${store.location}/${backupKey(label, BACKUP_OBJECTS.record)}`;
    return { ...directory, record: records.keep(record, where), damage: undefined };
  } catch (error) {
    // One damaged record must not hide the healthy backups from a restore.
    if (!hasErrorCode(error, "REPOSITORY_DAMAGED")) throw error;
    return { ...directory, record: undefined, damage: error, isCrowdedOut };
  }
}

/** By label. Along one timeline time does not go back, whatever the clocks of the hosts that took the backups did. */
function provedEnds(directories: readonly Omit<BackupDirectory, "endedAt">[]): Map<string, Date> {
  const ends = new Map<string, Date>();
  const latest = new Map<number, Date>();
  const complete = directories.flatMap(({ record, recordedAt }) =>
    record === undefined ? [] : [{ record, recordedAt }],
  );
  for (const { record, recordedAt } of complete.sort((a, b) => byStop(a.record, b.record))) {
    const own = provedEnd({ stoppedAt: new Date(record.stoppedAt), recordedAt });
    const before = latest.get(record.timeline);
    const end = before !== undefined && before > own ? before : own;
    ends.set(record.label, end);
    latest.set(record.timeline, end);
  }
  return ends;
}

/** Labels of the backups that refer to objects of this one. A record that cannot be read may, too. */
export function referrersOf(
  directories: readonly Pick<BackupDirectory, "label" | "record" | "damage">[],
  label: string,
): string[] {
  return directories.filter(({ record }) => record?.references.includes(label) === true).map((each) => each.label);
}

/** The complete backups in the order in which they became consistent (stop LSN), never by name. */
export async function listBackupRecords(store: ObjectStore, options: CallOptions = {}): Promise<BackupRecord[]> {
  const directories = await listBackupDirectories(store, options);
  return directories.flatMap(({ record }) => (record === undefined ? [] : [record])).sort(byStop);
}

/** Sorting keeps the order of labels where two became consistent at one position. */
function byStop(a: BackupRecord, b: BackupRecord): number {
  return compareLsn(parseLsn(a.stopLsn), parseLsn(b.stopLsn));
}
