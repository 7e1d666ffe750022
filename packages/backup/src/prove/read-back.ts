import { SoarError } from "@soar/errors";
import { parseBackupLabel, type BackupLabel } from "@soar/pg-tools/labels";
import { backupKey, BACKUP_OBJECTS, readBackupTableRows, sha256Hex } from "@soar/repository";
import { decompressMember, type Codec, type MemberLocation, type PlacedEntry } from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";
import type { StoredArchives } from "../store/store-archives.ts";
import { storeObject, type BackupObject } from "../store/store-object.ts";

export interface ReadBackOptions {
  readonly label: string;
  readonly archives: StoredArchives;
  readonly signal?: AbortSignal | undefined;
}

export interface CheckedBackup {
  readonly backupLabel: BackupLabel;
  /** `backup_label`, and `tablespace_map` if there is one, as objects of their own. */
  readonly objects: readonly BackupObject[];
  /** Plain bytes of all files. */
  readonly databaseBytes: number;
  /** Stored bytes of all members, wherever they lie: what a restore fetches. */
  readonly fetchBytes: number;
}

/** Members that are read back at random, beside the first and the last of every archive. */
const SAMPLE_SIZE = 16;

/** The small files that recovery cannot do without are stored once more, where a person finds them. */
const LOOSE_FILES: readonly string[] = [BACKUP_OBJECTS.backupLabel, BACKUP_OBJECTS.tablespaceMap];

/**
 * Reads from the bucket what was just stored: the whole seek table, `backup_label` byte for byte, a random sample of
 * members and the last one of every archive. What cannot be read back was not stored. Rejects with `REPOSITORY_DAMAGED`.
 */
export async function readBack(store: ObjectStore, options: ReadBackOptions): Promise<CheckedBackup> {
  const { label, archives, signal } = options;
  const survey = await surveyTable(store, options);
  for (const member of survey.sample) await readMember(store, member, signal);
  const objects: BackupObject[] = [];
  let backupLabel: BackupLabel | undefined;
  for (const { entry, member } of survey.loose) {
    const content = (await readMember(store, member, signal)).subarray(entry.offset, entry.offset + entry.size);
    if (entry.path === BACKUP_OBJECTS.backupLabel) backupLabel = parseBackupLabel(content.toString("utf8"));
    objects.push(await storeObject(store, label, entry.path, Buffer.from(content), { signal }));
  }
  if (backupLabel === undefined || backupLabel.startLsn !== archives.startLsn) {
    throw new SoarError(
      "BACKUP_INCOMPLETE",
      "the server sent a base backup without the backup_label that belongs to it",
      { hint: "Take the backup again; if it repeats, report the server's version." },
    );
  }
  return { backupLabel, objects, databaseBytes: survey.databaseBytes, fetchBytes: survey.fetchBytes };
}

interface Survey {
  readonly sample: readonly MemberLocation[];
  readonly loose: readonly { readonly entry: PlacedEntry; readonly member: MemberLocation }[];
  readonly databaseBytes: number;
  readonly fetchBytes: number;
}

/** One pass over the table with bounded memory: reservoir sampling needs no count beforehand. */
async function surveyTable(store: ObjectStore, { label, archives, signal }: ReadBackOptions): Promise<Survey> {
  const key = backupKey(label, BACKUP_OBJECTS.index);
  const objects: { key: string; codec: Codec }[] = [];
  const sample: MemberLocation[] = [];
  const lasts: MemberLocation[] = [];
  const loose: Survey["loose"][number][] = [];
  let pending: PlacedEntry[] = [];
  let [seen, inArchive, databaseBytes, fetchBytes] = [0, 0, 0, 0];
  let last: MemberLocation | undefined;
  for await (const rows of readBackupTableRows(store, { label, frames: archives.table.frames }, { signal })) {
    for (const row of rows) {
      if (row.kind === "object") objects.push(row);
      else if (row.kind === "archive") inArchive = 0;
      else if (row.kind === "entry") {
        databaseBytes += row.entry.size;
        // Without extra tablespaces the server sends an empty tablespace_map.
        if (LOOSE_FILES.includes(row.entry.path) && row.entry.size > 0) pending.push(row.entry);
      } else if (row.kind === "member") {
        const object = objects[row.object];
        if (object === undefined)
          throw new SoarError("REPOSITORY_DAMAGED", `'${key}' refers to an object that it does not name`);
        const { kind: _, object: __, ...location } = row;
        last = { ...location, object: object.key, codec: object.codec };
        for (const entry of pending) if (entry.member === inArchive) loose.push({ entry, member: last });
        pending = pending.filter((entry) => entry.member > inArchive);
        keepSample(sample, last, seen);
        fetchBytes += last.storedLength;
        seen += 1;
        inArchive += 1;
      } else if (row.kind === "archive-end" && last !== undefined) lasts.push(last);
    }
  }
  return { sample: [...sample, ...lasts], loose, databaseBytes, fetchBytes };
}

function keepSample(sample: MemberLocation[], member: MemberLocation, seen: number): void {
  if (seen < SAMPLE_SIZE) sample.push(member);
  else {
    const place = Math.floor(Math.random() * (seen + 1));
    if (place < SAMPLE_SIZE) sample[place] = member;
  }
}

async function readMember(
  store: ObjectStore,
  member: MemberLocation,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const { object, codec, offset, storedLength, plainLength, sha256 } = member;
  const stored = await readObject(store, object, { range: { offset, length: storedLength }, signal });
  const plain = await decompressMember(codec, stored, plainLength).catch((cause: unknown) => {
    throw notStored(store, member, cause);
  });
  if (sha256Hex(plain) !== sha256.toString("hex")) throw notStored(store, member);
  return plain;
}

function notStored(store: ObjectStore, { object, offset, storedLength }: MemberLocation, cause?: unknown): SoarError {
  return new SoarError(
    "REPOSITORY_DAMAGED",
    `'${store.location}/${object}' does not hold what was just stored at bytes ${offset} to ${offset + storedLength - 1}`,
    {
      cause,
      hint: "The storage returned other bytes than it was given. Nothing that looks like a backup was left behind; run soar-backup-verify, and ask the provider.",
    },
  );
}
