import { createHash } from "node:crypto";
import { hasErrorCode } from "@soar/errors";
import { formatLsn, parseLsn } from "@soar/pg-tools";
import {
  createManifestReader,
  LONGEST_MANIFEST_LINE,
  type ManifestFile,
  type ManifestHead,
  type ManifestReader,
} from "@soar/pg-tools/manifest";
import { parseBackupLabel } from "@soar/pg-tools/labels";
import { backupKey, BACKUP_OBJECTS, type BackupRecord } from "@soar/repository";
import type { SeekTable } from "@soar/seekable-tar";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { findingOf, isDamage, type Finding } from "../finding.ts";
import type { CompleteBackup } from "../survey/survey-repository.ts";
import { damage } from "./check-objects.ts";
import { pathInCluster } from "./check-table.ts";

/** PostgreSQL's own list of the files, by path. */
export type ManifestFiles = ReadonlyMap<string, Pick<ManifestFile, "size" | "checksum">>;

export interface CheckedManifest {
  readonly findings: readonly Finding[];
  /** Undefined when it cannot be believed. */
  readonly files: ManifestFiles | undefined;
}

/** Files that a manifest may have besides those of the seek table and be compared with it all the same. */
const MORE_FILES = 1000;

/**
 * Reads the manifest piece by piece, compares it with its recorded digest, with the checksum that it has itself, and with the
 * record: cluster and range of WAL. Its files are kept where they are about as many as the seek table has: what a manifest
 * lists must not fill the memory. One that is not there with its recorded size has been told already.
 */
export async function checkManifest(
  store: ObjectStore,
  { record, objects }: CompleteBackup,
  { table, signal }: CallOptions & { readonly table: SeekTable | undefined },
): Promise<CheckedManifest> {
  const where = backupKey(record.label, BACKUP_OBJECTS.manifest);
  const expected = record.objects.find(({ name }) => name === BACKUP_OBJECTS.manifest);
  if (expected === undefined || objects.get(expected.name) !== expected.size) return { findings: [], files: undefined };
  const kept = new KeptFiles(table);
  if (table !== undefined && expected.size > kept.most * LONGEST_MANIFEST_LINE) {
    const what = `it has ${expected.size} bytes, as recorded, and none of its kind has so many`;
    return { findings: [damage("object-damaged", where, what)], files: undefined };
  }
  const reader = createManifestReader((file) => kept.add(file));
  try {
    const { sha256, invalid } = await readPieces(await store.get(where, { signal }), reader);
    if (sha256 !== expected.sha256)
      return {
        findings: [damage("object-damaged", where, "the SHA-256 of its bytes is not the recorded one")],
        files: undefined,
      };
    if (invalid !== undefined) throw invalid;
    const findings = [...compareHead(reader.finish(), record), ...kept.tooMany(record)];
    return { findings, files: kept.files };
  } catch (error) {
    // Removed between the listing and now.
    if (hasErrorCode(error, "OBJECT_MISSING"))
      return {
        findings: [damage("object-missing", where, "it disappeared while it was verified")],
        files: undefined,
      };
    return { findings: [findingOf(error, { kind: "manifest-damaged", where })], files: undefined };
  }
}

/** To its end, also when a line of it is none: only the whole tells whether it is what was recorded. */
async function readPieces(
  pieces: AsyncIterable<Uint8Array>,
  reader: ManifestReader,
): Promise<{ readonly sha256: string; readonly invalid: Error | undefined }> {
  const hash = createHash("sha256");
  let invalid: Error | undefined;
  for await (const piece of pieces) {
    hash.update(piece);
    if (invalid !== undefined) continue;
    try {
      reader.push(piece);
    } catch (error) {
      if (!isDamage(error)) throw error;
      invalid = error;
    }
  }
  return { sha256: hash.digest("hex"), invalid };
}

function compareHead({ systemIdentifier, walRanges }: ManifestHead, record: BackupRecord): Finding[] {
  const where = backupKey(record.label, BACKUP_OBJECTS.manifest);
  const expected = `${record.timeline} ${record.startLsn} ${record.stopLsn}`;
  const found = walRanges.map(
    ({ timeline, startLsn, endLsn }) => `${timeline} ${formatLsn(startLsn)} ${formatLsn(endLsn)}`,
  );
  const findings: Finding[] = [];
  if (systemIdentifier !== undefined && String(systemIdentifier) !== record.systemIdentifier)
    findings.push(damage("manifest-damaged", where, `it is that of the cluster ${systemIdentifier}`));
  if (!found.includes(expected))
    findings.push(damage("manifest-damaged", where, `it needs the WAL ${found.join(", ")}, the record ${expected}`));
  return findings;
}

class KeptFiles {
  readonly #inTable: number | undefined;
  readonly #files = new Map<string, Pick<ManifestFile, "size" | "checksum">>();
  #count = 0;

  constructor(table: SeekTable | undefined) {
    this.#inTable = table?.archives.reduce(
      (sum, { entries }) => sum + entries.reduce((files, { type }) => (type === "file" ? files + 1 : files), 0),
      0,
    );
  }

  add({ path, pathBytes, size, checksum }: ManifestFile): void {
    this.#count += 1;
    if (this.#isTooMany) this.#files.clear();
    else this.#files.set(pathBytes === undefined ? path : decodePath(pathBytes), { size, checksum });
  }

  /** Undefined where they are too many to be kept. */
  get files(): ManifestFiles | undefined {
    return this.#isTooMany ? undefined : this.#files;
  }

  tooMany({ label }: BackupRecord): Finding[] {
    if (this.#inTable === undefined || !this.#isTooMany) return [];
    const where = backupKey(label, BACKUP_OBJECTS.index);
    return [
      damage(
        "table-damaged",
        where,
        `it does not fit the manifest: it has ${this.#inTable} files, the manifest ${this.#count}`,
      ),
    ];
  }

  /** How many are kept. */
  get most(): number {
    return (this.#inTable ?? 0) + MORE_FILES;
  }

  get #isTooMany(): boolean {
    return this.#count > this.most;
  }
}

/** The label is what recovery begins with; it must be that of this backup. */
export function checkBackupLabel(bytes: Buffer, record: BackupRecord): Finding[] {
  const where = backupKey(record.label, BACKUP_OBJECTS.backupLabel);
  try {
    const { startLsn, startTimeline, checkpointLsn } = parseBackupLabel(bytes.toString("utf8"));
    const isSame =
      startLsn === parseLsn(record.startLsn) &&
      startTimeline === record.timeline &&
      checkpointLsn === parseLsn(record.checkpointLsn);
    return isSame
      ? []
      : [
          damage(
            "object-damaged",
            where,
            `it begins at ${formatLsn(startLsn)} on timeline ${startTimeline}, the record at ${record.startLsn} on ${record.timeline}`,
          ),
        ];
  } catch (error) {
    return [findingOf(error, { kind: "object-damaged", where })];
  }
}

/** Seek table and manifest must speak of the same files. */
export function compareFiles(table: SeekTable, files: ManifestFiles, record: BackupRecord): Finding[] {
  const differences: string[] = [];
  const seen = new Set<string>();
  for (const archive of table.archives) {
    for (const { path, type, size } of archive.entries) {
      if (type !== "file") continue;
      const inCluster = pathInCluster(archive, record, path);
      const expected = files.get(inCluster);
      seen.add(inCluster);
      if (expected === undefined) differences.push(`'${inCluster}' is in the table only`);
      else if (expected.size !== size)
        differences.push(`'${inCluster}' has ${size} bytes in the table, ${expected.size} in the manifest`);
    }
  }
  for (const path of files.keys()) if (!seen.has(path)) differences.push(`'${path}' is in the manifest only`);
  if (differences.length === 0) return [];
  const more = differences.length > 3 ? `, and ${differences.length - 3} more differences` : "";
  return [
    damage(
      "table-damaged",
      backupKey(record.label, BACKUP_OBJECTS.index),
      `it does not fit the manifest: ${differences.slice(0, 3).join(", ")}${more}`,
    ),
  ];
}

/** The seek table keeps bytes that are no UTF-8 as lone surrogates. */
function decodePath(bytes: Buffer): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join("");
}
