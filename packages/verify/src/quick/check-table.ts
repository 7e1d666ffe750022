import { createHash } from "node:crypto";
import {
  archiveObjects,
  backupKey,
  BACKUP_OBJECTS,
  parseBackupKey,
  readBackupTable,
  tableOf,
  type BackupRecord,
} from "@soar/repository";
import { splitCodecSuffix } from "@soar/repository/wal";
import type { MemberLocation, SeekArchive, SeekTable } from "@soar/seekable-tar";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { findingOf, type Finding } from "../finding.ts";
import type { CompleteBackup, Survey } from "../survey/survey-repository.ts";
import { damage } from "./check-objects.ts";

export interface CheckedTable {
  readonly findings: readonly Finding[];
  /** Undefined when it cannot be read. */
  readonly table: SeekTable | undefined;
}

/**
 * Reads the seek table of a backup, every frame by its recorded digest, and compares it with the record: the archives, and
 * where the members lie. Members of other backups must lie inside of objects that are there and that the record refers to.
 */
export async function checkTable(
  { store, backups }: Pick<Survey, "store" | "backups">,
  { record, objects }: CompleteBackup,
  { signal }: CallOptions,
): Promise<CheckedTable> {
  const key = backupKey(record.label, BACKUP_OBJECTS.index);
  if (!objects.has(BACKUP_OBJECTS.index)) return { findings: [], table: undefined };
  try {
    const { table, sha256 } = await readTable(store, record, signal);
    const expected = record.objects.find(({ name }) => name === BACKUP_OBJECTS.index);
    const changed =
      expected === undefined || expected.size !== objects.get(BACKUP_OBJECTS.index) || sha256 === expected.sha256
        ? []
        : [damage("table-damaged", key, "the SHA-256 of its bytes is not the recorded one")];
    return {
      table,
      findings: [...changed, ...compareArchives(key, record, table), ...checkPlaces(table, record, backups)],
    };
  } catch (error) {
    return { table: undefined, findings: [findingOf(error, { kind: "table-damaged", where: key })] };
  }
}

async function readTable(
  store: ObjectStore,
  record: BackupRecord,
  signal: AbortSignal | undefined,
): Promise<{ readonly table: SeekTable; readonly sha256: string }> {
  const hash = createHash("sha256");
  const onFrame = (frame: Buffer): void => void hash.update(frame);
  const table = await readBackupTable(store, tableOf(record), { onFrame, signal });
  return { table, sha256: hash.digest("hex") };
}

function compareArchives(key: string, record: BackupRecord, table: SeekTable): Finding[] {
  const described = (archives: readonly { readonly name: string; readonly plain: number }[]): string =>
    archives
      .map(({ name, plain }) => `${name} (${plain} bytes)`)
      .sort()
      .join(", ");
  const recorded = described(record.archives.map(({ name, tar }) => ({ name, plain: tar })));
  const found = described(table.archives.map(({ name, plainBytes }) => ({ name, plain: plainBytes })));
  const stored = record.index.members.reduce((sum, [length]) => sum + length, 0);
  const size = record.objects.find(({ name }) => name === BACKUP_OBJECTS.index)?.size;
  const findings: Finding[] = [];
  if (found !== recorded) findings.push(damage("table-damaged", key, `it describes ${found}, the record ${recorded}`));
  if (size !== undefined && size !== stored)
    findings.push(damage("table-damaged", key, `the record gives it ${size} bytes, and its frames ${stored}`));
  return findings;
}

interface Place {
  readonly size: number;
  /** Where the members that were met so far end. */
  end: number;
  problem: string | undefined;
}

/** One pass over all members: those of a backup's own object fill it without a gap, the others lie where others say. */
function checkPlaces(table: SeekTable, record: BackupRecord, backups: readonly CompleteBackup[]): Finding[] {
  const places = new Map<string, Place>();
  for (const archive of table.archives) {
    for (let index = 0; index < archive.members.length; index++) {
      const member = archive.members.get(index);
      const place = places.get(member.object) ?? placeOf(member, record, backups);
      places.set(member.object, place);
      place.problem ??= problemOf(place, member, isOwn(member.object, record));
    }
  }
  for (const object of archiveObjects(record)) {
    const key = backupKey(record.label, object);
    const size = record.objects.find(({ name }) => name === object)?.size ?? 0;
    if (!places.has(key)) places.set(key, { size, end: 0, problem: undefined });
  }
  return [...places].flatMap(([object, place]) => {
    const isFilled = !isOwn(object, record) || place.end === place.size;
    const problem = place.problem ?? (isFilled ? undefined : `its members end at byte ${place.end} of ${place.size}`);
    if (problem === undefined) return [];
    return [isOwn(object, record) ? damage("table-damaged", object, problem) : broken(record.label, object, problem)];
  });
}

function placeOf({ object, codec }: MemberLocation, record: BackupRecord, backups: readonly CompleteBackup[]): Place {
  const { label = "", name = "" } = parseBackupKey(object) ?? {};
  const owner = backups.find((backup) => backup.label === label);
  const size = owner?.record.objects.find((known) => known.name === name)?.size;
  const place = { size: size ?? 0, end: 0, problem: undefined };
  if (label !== record.label && !record.references.includes(label))
    return { ...place, problem: `the record of ${record.label} does not refer to ${label}` };
  if (owner === undefined) return { ...place, problem: `there is no complete backup ${label}` };
  if (size === undefined) return { ...place, problem: `the record of ${label} does not name it` };
  // What a backup lacks of its own is told by the check of its objects.
  if (label !== record.label && owner.objects.get(name) === undefined)
    return { ...place, problem: "it is not in the bucket" };
  if (splitCodecSuffix(name).codec !== codec)
    return { ...place, problem: `its members are said to be compressed with ${codec}` };
  return place;
}

function problemOf(place: Place, { offset, storedLength }: MemberLocation, own: boolean): string | undefined {
  const end = offset + storedLength;
  if (own && offset > place.end) return `no member lies in its bytes ${place.end} to ${offset - 1}`;
  if (end > place.size) return `a member ends at byte ${end}, behind the ${place.size} that it has`;
  place.end = Math.max(place.end, end);
  return undefined;
}

function isOwn(object: string, { label }: BackupRecord): boolean {
  return parseBackupKey(object)?.label === label;
}

function broken(label: string, object: string, fact: string): Finding {
  return {
    kind: "reference-broken",
    severity: "error",
    where: label,
    what: `it refers to '${object}', but ${fact}`,
    advice:
      "Restore what it refers to from an older version in the bucket or from a copy, and take a full backup now: nothing proves what this incremental one needs. Where only a record is gone, it can still be restored; without the archives it is lost.",
  };
}

/** Path below the data directory of an entry of an archive. */
export function pathInCluster(archive: Pick<SeekArchive, "name">, record: BackupRecord, path: string): string {
  const oid = record.archives.find(({ name }) => name === archive.name)?.oid;
  return oid === undefined ? path : `pg_tblspc/${oid}/${path}`;
}
