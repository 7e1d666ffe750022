import { createHash } from "node:crypto";
import { hasErrorCode } from "@soar/errors";
import { BACKUP_OBJECTS, backupKey, type BackupDirectory, type BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { findingOf, type Finding } from "./finding.ts";

export interface CheckOptions extends CallOptions {
  /** Called with the number of bytes that were read and compared. */
  readonly onBytes?: (bytes: number) => void;
}

/** What lies beside the recorded objects of a backup: the record itself, and what is written before it or later. */
const UNRECORDED: readonly string[] = [BACKUP_OBJECTS.record, BACKUP_OBJECTS.started, BACKUP_OBJECTS.keep];

/** Compares every object of one backup with its record: presence, size, SHA-256 over all bytes; and names what is not recorded. */
export async function checkBackupObjects(store: ObjectStore, { objects }: BackupDirectory, record: BackupRecord, options: CheckOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const expected of record.objects) {
    const finding = await checkObject(store, { ...expected, key: backupKey(record.label, expected.name) }, objects.get(expected.name), options);
    if (finding !== undefined) findings.push(finding);
  }
  const known = new Set([...UNRECORDED, ...record.objects.map(({ name }) => name)]);
  for (const name of objects.keys()) if (!known.has(name)) findings.push(stray(backupKey(record.label, name)));
  if (record.damagedPages.length > 0) findings.push(sourceDamage(record));
  return findings;
}

interface ExpectedObject {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
}

async function checkObject(store: ObjectStore, expected: ExpectedObject, listedSize: number | undefined, options: CheckOptions): Promise<Finding | undefined> {
  const { key, size, sha256 } = expected;
  if (listedSize === undefined) return damage("object-missing", key, "it is recorded and not in the bucket");
  if (listedSize !== size) return damage("object-wrong-size", key, `it has ${listedSize} bytes, ${size} were recorded`);
  try {
    const found = await digestOf(store, key, options);
    return found === sha256 ? undefined : damage("object-damaged", key, "the SHA-256 of its bytes is not the recorded one");
  } catch (error) {
    // Removed between the listing and now.
    return hasErrorCode(error, "OBJECT_MISSING") ? damage("object-missing", key, "it disappeared while it was verified") : findingOf(error, { kind: "object-damaged", where: key });
  }
}

async function digestOf(store: ObjectStore, key: string, { signal, onBytes }: CheckOptions): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of await store.get(key, { signal })) {
    hash.update(chunk);
    onBytes?.(chunk.length);
  }
  return hash.digest("hex");
}

function damage(kind: Finding["kind"], where: string, what: string): Finding {
  return { kind, severity: "error", where, what, advice: "Restore the object from an older version in the bucket or from a copy; until then use another backup, and take a new one." };
}

function stray(where: string): Finding {
  return {
    kind: "object-stray",
    severity: "warning",
    where,
    what: "it is in the directory of a backup whose record does not know it",
    advice: "No restore reads it, and expiry removes it with the backup. Find out what wrote it.",
  };
}

function sourceDamage({ label, damagedPages }: BackupRecord): Finding {
  const paths = [...new Set(damagedPages.map(({ path }) => path))];
  return {
    kind: "backup-source-damaged",
    severity: "warning",
    where: label,
    what: `the source had damaged pages in ${paths.slice(0, 3).join(", ")}${paths.length > 3 ? ` and ${paths.length - 3} more files` : ""}`,
    advice: "The backup is as good as the source was. Repair the server (pg_amcheck finds the affected tables) or restore them from an older backup.",
  };
}
