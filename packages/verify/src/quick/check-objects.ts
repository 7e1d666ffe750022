import {
  archiveObjects,
  BACKUP_OBJECTS,
  backupKey,
  sha256Hex,
  SMALL_OBJECT_LIMIT_BYTES,
  type BackupRecord,
} from "@soar/repository";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";
import { isDamage, RESTORE_OBJECT, type Finding } from "../finding.ts";
import type { CompleteBackup } from "../survey/survey-repository.ts";

/** What lies beside the recorded objects of a backup: the record itself, and what is written before it or later. */
const UNRECORDED: readonly string[] = [BACKUP_OBJECTS.record, BACKUP_OBJECTS.started, BACKUP_OBJECTS.keep];

/** Without these a backup cannot be restored. */
const REQUIRED: readonly string[] = [BACKUP_OBJECTS.index, BACKUP_OBJECTS.manifest, BACKUP_OBJECTS.backupLabel];

export interface CheckedObjects {
  readonly findings: readonly Finding[];
  /** Bytes of the objects that are small enough to be read at every verification, where they are as recorded. */
  readonly contents: ReadonlyMap<string, Buffer>;
}

/**
 * Compares the objects of a backup with its record: presence and size of all, and the bytes of all but the archives. The seek
 * table and the manifest are left to checks of their own, which read them piece by piece.
 */
export async function checkObjects(
  store: ObjectStore,
  { objects, record }: CompleteBackup,
  options: CallOptions,
): Promise<CheckedObjects> {
  const findings: Finding[] = [];
  const contents = new Map<string, Buffer>();
  const unread = new Set([BACKUP_OBJECTS.index, BACKUP_OBJECTS.manifest, ...archiveObjects(record)]);
  for (const expected of record.objects) {
    const key = backupKey(record.label, expected.name);
    const size = objects.get(expected.name);
    if (size === undefined) findings.push(damage("object-missing", key, "it is recorded and not in the bucket"));
    else if (size !== expected.size)
      findings.push(damage("object-wrong-size", key, `it has ${size} bytes, ${expected.size} were recorded`));
    else if (!unread.has(expected.name) && size > SMALL_OBJECT_LIMIT_BYTES)
      findings.push(
        damage("object-damaged", key, `it has ${size} bytes, as recorded, and none of its kind has so many`),
      );
    else if (!unread.has(expected.name)) {
      const content = await readSame(store, key, expected, options);
      if (Buffer.isBuffer(content)) contents.set(expected.name, content);
      else findings.push(content);
    }
  }
  return { findings: [...findings, ...strays(objects, record), ...incomplete(record)], contents };
}

async function readSame(
  store: ObjectStore,
  key: string,
  { size, sha256 }: { readonly size: number; readonly sha256: string },
  { signal }: CallOptions,
): Promise<Buffer | Finding> {
  try {
    const bytes = await readObject(store, key, { signal, maxBytes: size });
    return sha256Hex(bytes) === sha256
      ? bytes
      : damage("object-damaged", key, "the SHA-256 of its bytes is not the recorded one");
  } catch (error) {
    // Removed between the listing and now.
    if (!isDamage(error)) throw error;
    return damage("object-missing", key, "it disappeared while it was verified");
  }
}

export function damage(kind: Finding["kind"], where: string, what: string): Finding {
  return { kind, severity: "error", where, what, advice: RESTORE_OBJECT };
}

function strays(objects: ReadonlyMap<string, number>, record: BackupRecord): Finding[] {
  const known = new Set([...UNRECORDED, ...record.objects.map(({ name }) => name)]);
  const unknown = [...objects.keys()].filter((name) => !known.has(name));
  return unknown.map((name) => ({
    kind: "object-stray",
    severity: "warning",
    where: backupKey(record.label, name),
    what: "it is in the directory of a backup whose record does not know it",
    advice: "No restore reads it, and expiry removes it with the backup. Find out what wrote it.",
  }));
}

/** A record that names too little would make everything look complete. */
function incomplete(record: BackupRecord): Finding[] {
  const { label, objects, archives } = record;
  const sizes = new Map(objects.map(({ name, size }) => [name, size]));
  const absent = [...REQUIRED, ...archiveObjects(record)].filter((name) => !sizes.has(name));
  const base = archives.some(({ oid }) => oid === undefined) ? [] : ["the archive of the data directory"];
  const missing = [...absent, ...base];
  return missing.length === 0
    ? []
    : [damage("backup-record-damaged", label, `its record does not name ${missing.join(", ")}`)];
}
