import { formatLsn, formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import { backupKey, claimLabel, claimRepository, putBackupRecord, putWalFile, sha256Hex, type BackupRecord } from "@soar/repository";
import type { Codec } from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";

const SEGMENT_SIZE = 1024 * 1024;
const SYSTEM_IDENTIFIER = "7551234567890123456";
export const LABEL = "2025-01-05";

export const segmentName = (index: number, timeline = 1): string => formatWalSegment({ timeline, index }, SEGMENT_SIZE);
export const segmentKey = (index: number, timeline = 1): string => `wal/${segmentName(index, timeline)}.zst`;

/** A segment with a true first page of PostgreSQL 15 and bytes of its own. */
export function segmentBytes(index: number, { timeline = 1, systemIdentifier = SYSTEM_IDENTIFIER } = {}): Buffer {
  const bytes = Buffer.alloc(SEGMENT_SIZE, index);
  const page = Buffer.alloc(40);
  page.writeUInt16LE(0xd110, 0);
  page.writeUInt16LE(0x02, 2);
  page.writeUInt32LE(timeline, 4);
  page.writeBigUInt64LE(lsnOfSegmentIndex(index, SEGMENT_SIZE), 8);
  page.writeBigUInt64LE(BigInt(systemIdentifier), 24);
  page.writeUInt32LE(SEGMENT_SIZE, 32);
  page.writeUInt32LE(8192, 36);
  page.copy(bytes);
  return bytes;
}

export async function archive(store: ObjectStore, name: string, bytes: Buffer, codec: Codec = "zstd"): Promise<void> {
  await putWalFile(store, { name, size: bytes.length, sha256: sha256Hex(bytes), open: () => once(bytes) }, { codec });
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

const CONTENT: Readonly<Record<string, string>> = { "backup.tar.gz": "the data directory", "16420.tar.gz": "a tablespace", backup_label: "START WAL", "index.zst": "the seek table" };

/**
 * A healthy repository: a backup that needs segments 3 and 4, WAL of timeline 1 from 2 to 6, and of timeline 2, which left
 * it in segment 6, to 8.
 */
export async function fillRepository(store: ObjectStore): Promise<void> {
  await claimRepository(store, { systemIdentifier: SYSTEM_IDENTIFIER, postgresMajor: 15, walSegmentSize: SEGMENT_SIZE }, { toolVersion: "test", now: new Date("2025-01-05T02:00:00Z") });
  for (const index of [2, 3, 4, 5, 6]) await archive(store, segmentName(index), segmentBytes(index));
  for (const index of [6, 7, 8]) await archive(store, segmentName(index, 2), segmentBytes(index, { timeline: index === 6 ? 1 : 2 }));
  await archive(store, "00000002.history", Buffer.from(`1\t${formatLsn(lsnOfSegmentIndex(6, SEGMENT_SIZE) + 0x148n)}\tno recovery target specified\n`));
  await archive(store, `${segmentName(3)}.00000028.backup`, Buffer.from("START WAL LOCATION"));
  await putBackup(store, recordOf(LABEL, 3));
}

export async function putBackup(store: ObjectStore, record: BackupRecord): Promise<void> {
  await claimLabel(store, { format: 1, label: record.label, host: "h", processId: 1, startedAt: record.startedAt, deadline: record.stoppedAt, references: [] });
  for (const [name, text] of Object.entries(CONTENT)) await store.put(backupKey(record.label, name), Buffer.from(text));
  await putBackupRecord(store, record);
}

/** A backup that begins in segment `first` and is consistent in the next one. */
export function recordOf(label: string, first: number): BackupRecord {
  const lsn = (index: number) => formatLsn(lsnOfSegmentIndex(index, SEGMENT_SIZE) + 0x28n);
  return {
    format: 1,
    label,
    kind: "full",
    references: [],
    systemIdentifier: SYSTEM_IDENTIFIER,
    postgresVersion: 150_018,
    walSegmentSize: SEGMENT_SIZE,
    timeline: 1,
    startLsn: lsn(first),
    stopLsn: lsn(first + 1),
    checkpointLsn: lsn(first),
    firstSegment: segmentName(first),
    lastSegment: segmentName(first + 1),
    startedAt: `${label}T02:00:00.000Z`,
    stoppedAt: `${label}T03:00:00.000Z`,
    durationMs: 1,
    sizes: { database: 1, tar: 1, stored: 1, new: 1 },
    codec: "gzip",
    chunkSize: 262_144,
    source: { method: "replication", fromStandby: false, host: "h", dataDirectory: "/data" },
    dataChecksums: true,
    settings: {},
    databases: [],
    tablespaces: [],
    archives: [],
    objects: Object.entries(CONTENT).map(([name, text]) => ({ name, size: text.length, sha256: sha256Hex(Buffer.from(text)) })),
    index: { members: [] },
    damagedPages: [],
    createdBy: "test",
  };
}

/** Puts other bytes in the place of an object, as damage does. */
export async function replace(store: ObjectStore, key: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = await readObject(store, key);
  await store.remove([key]);
  await store.put(key, change(bytes));
}

export async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}
