import { formatLsn, parseLsn } from "@soar/pg-tools";
import { createManifestReader, type ManifestFile } from "@soar/pg-tools/manifest";
import { parseBackupLabel } from "@soar/pg-tools/labels";
import { backupKey, BACKUP_OBJECTS, type BackupRecord } from "@soar/repository";
import type { SeekTable } from "@soar/seekable-tar";
import { findingOf, type Finding } from "../finding.ts";
import { damage } from "./check-objects.ts";
import { pathInCluster } from "./check-table.ts";

/** PostgreSQL's own list of the files, by path. */
export type ManifestFiles = ReadonlyMap<string, Pick<ManifestFile, "size" | "checksum">>;

export interface CheckedManifest {
  readonly findings: readonly Finding[];
  /** Undefined when it cannot be believed. */
  readonly files: ManifestFiles | undefined;
}

/** Reads the manifest by its own checksum and compares it with the record: cluster and range of WAL. */
export function checkManifest(bytes: Buffer, record: BackupRecord): CheckedManifest {
  const where = backupKey(record.label, BACKUP_OBJECTS.manifest);
  const files = new Map<string, Pick<ManifestFile, "size" | "checksum">>();
  try {
    const reader = createManifestReader(({ path, pathBytes, size, checksum }) =>
      files.set(pathBytes === undefined ? path : decodePath(pathBytes), { size, checksum }),
    );
    reader.push(bytes);
    const { systemIdentifier, walRanges } = reader.finish();
    const expected = `${record.timeline} ${record.startLsn} ${record.stopLsn}`;
    const found = walRanges.map(
      ({ timeline, startLsn, endLsn }) => `${timeline} ${formatLsn(startLsn)} ${formatLsn(endLsn)}`,
    );
    const findings: Finding[] = [];
    if (systemIdentifier !== undefined && String(systemIdentifier) !== record.systemIdentifier)
      findings.push(damage("manifest-damaged", where, `it is that of the cluster ${systemIdentifier}`));
    if (!found.includes(expected))
      findings.push(damage("manifest-damaged", where, `it needs the WAL ${found.join(", ")}, the record ${expected}`));
    return { findings, files };
  } catch (error) {
    return { findings: [findingOf(error, { kind: "manifest-damaged", where })], files: undefined };
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
