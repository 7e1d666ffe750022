import { formatLsn, formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { putBackupRecord, type BackupRecord } from "../src/records/backup-record.ts";
import { sha256Hex } from "../src/records/digest.ts";
import { backupKey } from "../src/records/keys.ts";
import { claimLabel } from "../src/markers/marker-records.ts";
import type { ClusterIdentity } from "../src/records/repository-record.ts";
import { claimRepository } from "../src/claim/claim-repository.ts";

export const SEGMENT_SIZE = 16 * 1024 * 1024;
const DAY_MS = 86_400_000;

/** A cluster that claims a repository, and how. */
export const CLUSTER: ClusterIdentity = {
  systemIdentifier: "7551234567890123456",
  postgresMajor: 15,
  walSegmentSize: SEGMENT_SIZE,
};
export const CLAIM = { toolVersion: "soar-wal-archive 1.0", now: new Date("2025-01-05T02:00:00Z") };

/** Midnight UTC of a day of 2025, counted from 1 January as 1. */
export function day(number: number): Date {
  return new Date(Date.UTC(2025, 0, number));
}

export function segmentName(index: number, timeline = 1): string {
  return formatWalSegment({ timeline, index }, SEGMENT_SIZE);
}

export interface SampleBackup {
  /** Day of the year, which is also the number of the backup's WAL segment. */
  readonly day: number;
  readonly references?: readonly string[];
  /** No `backup.json`. */
  readonly unfinished?: boolean;
  readonly timeline?: number;
  readonly index?: number;
}

/** A repository in memory whose clock stands at `now`. */
export async function createSampleRepository(options: {
  readonly now: Date;
  readonly backups: readonly SampleBackup[];
  readonly wal: readonly string[];
}): Promise<ObjectStore> {
  const store = createMemoryStore({ now: () => options.now });
  await claimRepository(
    store,
    { systemIdentifier: "7000000000000000001", postgresMajor: 15, walSegmentSize: SEGMENT_SIZE },
    { toolVersion: "test", now: day(1) },
  );
  for (const backup of options.backups) await addBackup(store, backup);
  for (const name of options.wal) await store.put(`wal/${name}.zst`, Buffer.from(name));
  return store;
}

export function labelOf({ day: number }: Pick<SampleBackup, "day">): string {
  return day(number).toISOString().slice(0, 10);
}

export async function addBackup(store: ObjectStore, backup: SampleBackup): Promise<void> {
  const label = labelOf(backup);
  const startedAt = day(backup.day);
  await claimLabel(store, {
    format: 1,
    label,
    host: "h",
    processId: 1,
    startedAt: startedAt.toISOString(),
    deadline: new Date(startedAt.getTime() + 2 * DAY_MS).toISOString(),
    references: [...(backup.references ?? [])],
  });
  for (const name of ["backup.tar.gz", "index.zst", "backup_manifest"])
    await store.put(backupKey(label, name), Buffer.from(name));
  if (backup.unfinished === true)
    await (
      await store.beginMultipart(backupKey(label, "16400.tar.gz"), { partSize: 5 * 1024 * 1024 })
    ).putPart(1, Buffer.alloc(10));
  else await putBackupRecord(store, recordOf(backup));
}

/** Beside `sampleRecord` of tooling/sample-repository, which is built on this package: it cannot be had here without a circle. */
export function recordOf(backup: SampleBackup): BackupRecord {
  const { timeline = 1, index = backup.day, references = [] } = backup;
  const objects = ["backup.tar.gz", "index.zst", "backup_manifest"].map((name) => ({
    name,
    size: name.length,
    sha256: sha256Hex(Buffer.from(name)),
  }));
  const lsn = (offset: bigint) => formatLsn(lsnOfSegmentIndex(index, SEGMENT_SIZE) + offset);
  return {
    format: 1,
    label: labelOf(backup),
    kind: references.length === 0 ? "full" : "incremental",
    references: [...references],
    systemIdentifier: "7000000000000000001",
    postgresVersion: 150_020,
    walSegmentSize: SEGMENT_SIZE,
    timeline,
    startLsn: lsn(40n),
    stopLsn: lsn(400n),
    checkpointLsn: lsn(120n),
    firstSegment: segmentName(index, timeline),
    lastSegment: segmentName(index, timeline),
    startedAt: day(backup.day).toISOString(),
    stoppedAt: new Date(day(backup.day).getTime() + 3_600_000).toISOString(),
    durationMs: 3_600_000,
    sizes: { database: 1000, tar: 1100, stored: 300, new: 300 },
    codec: "gzip",
    chunkSize: 262_144,
    source: { method: "replication", fromStandby: false, host: "h", dataDirectory: "/data" },
    dataChecksums: true,
    settings: {},
    databases: [{ oid: 5, name: "postgres" }],
    tablespaces: [],
    archives: [{ name: "base", object: "backup.tar.gz", tar: 1100, stored: 13 }],
    objects,
    index: { members: [] },
    damagedPages: [],
    createdBy: "test",
  };
}

export async function listKeys(store: ObjectStore, prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}
