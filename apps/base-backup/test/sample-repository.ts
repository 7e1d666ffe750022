import { formatLsn, formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import { backupKey, claimRepository, putBackupRecord, sha256Hex, type BackupRecord } from "@soar/repository";
import { claimLabel } from "@soar/repository/markers";
import { putWalFile } from "@soar/repository/wal";
import { createFileStore, type ObjectStore } from "@soar/storage";
import { sampleRecord } from "@soar-tooling/sample-repository";

const SEGMENT_SIZE = 16 * 1024 * 1024;
const DAY_MS = 86_400_000;
const DATA = Buffer.from("data");

export interface SampleOptions {
  /** Age in days of each backup, oldest first. */
  readonly ages: readonly number[];
  /** Ages of the segments that are missing. */
  readonly missing?: readonly number[];
}

/** A repository in a directory, with these backups and for every day since the oldest a WAL segment with one commit. */
export async function createSampleRepository(
  directory: string,
  { ages, missing = [] }: SampleOptions,
): Promise<{ labels: string[]; store: ObjectStore }> {
  const store = createFileStore({ directory });
  const now = Date.now();
  await claimRepository(
    store,
    { systemIdentifier: "7000000000000000001", postgresMajor: 15, walSegmentSize: SEGMENT_SIZE },
    { toolVersion: "test", now: new Date(now) },
  );
  const labels: string[] = [];
  for (const age of ages) {
    const startedAt = new Date(now - age * DAY_MS);
    const label = startedAt.toISOString().slice(0, 10);
    labels.push(label);
    await claimLabel(store, {
      format: 1,
      label,
      host: "h",
      processId: 1,
      startedAt: startedAt.toISOString(),
      deadline: new Date(startedAt.getTime() + 2 * DAY_MS).toISOString(),
      references: [],
    });
    await store.put(backupKey(label, "backup.tar.gz"), DATA);
    await putBackupRecord(store, recordOf(label, startedAt, 1000 - age));
  }
  for (let age = Math.max(...ages); age >= 0; age -= 1)
    if (!missing.includes(age)) await putSegment(store, 1000 - age, now - age * DAY_MS);
  return { labels, store };
}

async function putSegment(store: ObjectStore, index: number, committedAt: number): Promise<void> {
  const tx = { n: 1, first: committedAt * 1000, last: committedAt * 1000 };
  const open = async function* (): AsyncGenerator<Buffer> {
    yield DATA;
  };
  await putWalFile(
    store,
    { name: segment(index), size: DATA.length, sha256: sha256Hex(DATA), facts: { tx }, open },
    { codec: "zstd" },
  );
}

export function segment(index: number): string {
  return formatWalSegment({ timeline: 1, index }, SEGMENT_SIZE);
}

function recordOf(label: string, startedAt: Date, index: number): BackupRecord {
  const lsn = (offset: bigint) => formatLsn(lsnOfSegmentIndex(index, SEGMENT_SIZE) + offset);
  return sampleRecord({
    label,
    systemIdentifier: "7000000000000000001",
    walSegmentSize: SEGMENT_SIZE,
    startLsn: lsn(40n),
    stopLsn: lsn(400n),
    checkpointLsn: lsn(120n),
    startedAt: startedAt.toISOString(),
    stoppedAt: new Date(startedAt.getTime() + 60_000).toISOString(),
    durationMs: 60_000,
    sizes: { database: 3e9, tar: 3e9, stored: 1e9, new: 1e9 },
    archives: [{ name: "base", object: "backup.tar.gz", tar: 3e9, stored: DATA.length }],
    objects: [{ name: "backup.tar.gz", size: DATA.length, sha256: sha256Hex(DATA) }],
  });
}
