import { SoarError } from "@soar/errors";
import { parseWalSegment } from "@soar/pg-tools";
import { listBackupDirectories, listTimelines, requireRepositoryRecord, type BackupDirectory, type BackupRecord, type RepositoryRecord, type TimelineSegments } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { checkBackupObjects } from "./check-backup-objects.ts";
import { checkChains, checkHistories } from "./check-chains.ts";
import { checkTimelineSegments } from "./check-wal-objects.ts";
import { findingOf, type Finding } from "./finding.ts";

export interface VerifyOptions extends CallOptions {
  /** Only these backups, and the WAL from the oldest of them on; all of them when empty. */
  readonly labels?: readonly string[];
  /** Objects read at once. */
  readonly jobs: number;
  /** Total of bytes that were read and compared so far. */
  readonly onProgress?: (bytes: number) => void;
}

export interface VerifyReport {
  readonly repository: RepositoryRecord;
  readonly findings: readonly Finding[];
  readonly backups: readonly string[];
  readonly segments: number;
  /** Stored bytes that were read and compared. */
  readonly bytes: number;
}

/**
 * Reads every byte of the chosen backups and of all WAL from the oldest of them on, and compares it with what was
 * recorded. Prints and deletes nothing. Damage is a finding; not being able to look is a rejection.
 */
export async function verifyRepository(store: ObjectStore, options: VerifyOptions): Promise<VerifyReport> {
  const { signal } = options;
  const repository = await requireRepositoryRecord(store, { signal });
  const directories = await chooseDirectories(store, options);
  let bytes = 0;
  const onBytes = (count: number): void => options.onProgress?.((bytes += count));
  const findings: Finding[] = directories.flatMap(incomplete);
  const readable = directories.filter((directory): directory is BackupDirectory & { record: BackupRecord } => directory.record !== undefined);
  const complete = readable.filter(({ record }) => record.systemIdentifier === repository.systemIdentifier && record.walSegmentSize === repository.walSegmentSize);
  findings.push(...readable.filter((directory) => !complete.includes(directory)).map(({ record }) => foreign(record)));
  if (complete.length === 0) findings.push(noBackup());
  for (const directory of complete) findings.push(...(await checkBackupObjects(store, directory, directory.record, { signal, onBytes })));
  const records = complete.map(({ record }) => record);
  const wal = await checkWal(store, repository, records, { ...options, onBytes });
  return { repository, findings: [...findings, ...wal.findings], backups: complete.map(({ label }) => label), segments: wal.segments, bytes };
}

async function checkWal(
  store: ObjectStore,
  repository: RepositoryRecord,
  records: readonly BackupRecord[],
  options: VerifyOptions & { readonly onBytes: (count: number) => void },
): Promise<{ findings: Finding[]; segments: number }> {
  const { signal, jobs, onBytes } = options;
  const fromIndex = Math.min(...records.map((record) => parseWalSegment(record.firstSegment, record.walSegmentSize).index));
  const timelines = await listTimelines(store, { signal });
  const { histories, findings } = await checkHistories(store, timelines, { signal });
  const inventories = new Map<number, TimelineSegments>();
  let segments = 0;
  for (const timeline of timelines) {
    const check = await checkTimelineSegments(store, repository, timeline, { signal, jobs, onBytes, fromIndex: Number.isFinite(fromIndex) ? fromIndex : 0 });
    findings.push(...check.findings);
    inventories.set(timeline, check.inventory);
    segments += check.inventory.segments.size;
  }
  return { findings: [...findings, ...checkChains(records, histories, inventories)], segments };
}

async function chooseDirectories(store: ObjectStore, { labels = [], signal }: VerifyOptions): Promise<BackupDirectory[]> {
  const all = await listBackupDirectories(store, { signal });
  if (labels.length === 0) return all;
  const unknown = labels.find((label) => !all.some((directory) => directory.label === label));
  if (unknown === undefined) return all.filter(({ label }) => labels.includes(label));
  throw new SoarError("BACKUP_MISSING", `there is no backup '${unknown}' in '${store.location}'`, {
    hint: `There are: ${all.map(({ label }) => label).join(", ") || "none"}.`,
  });
}

function incomplete({ label, record, damage }: BackupDirectory): Finding[] {
  if (damage !== undefined) return [findingOf(damage, { kind: "backup-record-damaged", where: label })];
  return record === undefined ? [interrupted(label)] : [];
}

function interrupted(label: string): Finding {
  return {
    kind: "backup-interrupted",
    severity: "warning",
    where: label,
    what: "there is no backup.json: the backup is still running or was interrupted",
    advice: "Nothing takes it for a backup. The next soar-base-backup removes it once its deadline has passed.",
  };
}

function foreign({ label, systemIdentifier }: BackupRecord): Finding {
  return {
    kind: "backup-foreign",
    severity: "error",
    where: label,
    what: `it is a backup of another cluster, with system identifier ${systemIdentifier}`,
    advice: "No restore uses it. Objects of two repositories were mixed: move it to the repository of its own cluster.",
  };
}

function noBackup(): Finding {
  return { kind: "no-backup", severity: "error", where: "base/", what: "there is no complete backup", advice: "Take one now: soar-base-backup." };
}
