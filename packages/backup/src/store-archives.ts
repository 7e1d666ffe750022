import { baseBackup, segmentIndexBeforeLsn, segmentIndexOfLsn, type BaseBackupEvent, type Lsn, type ReplicationConnection } from "@soar/pg-tools";
import { backupKey, BACKUP_OBJECTS, codecSuffix } from "@soar/repository";
import { DEFAULT_CHUNK_BYTES as CHUNK_BYTES, SeekTableWriter, writeSeekableTar, type Codec, type CodecPool, type SeekTableSummary, type WriteSeekableTarOptions, type WriteSummary } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { BackupEvents } from "./backup-events.ts";
import { openSinkStream } from "./sink-stream.ts";
import { storeObject, type BackupObject } from "./store-object.ts";
import { uploadOwn } from "./upload-own.ts";

export interface StoreArchivesOptions {
  readonly label: string;
  readonly codec: Codec;
  readonly level: number | undefined;
  readonly checkpoint: "fast" | "spread";
  readonly rateLimitBytes: number | undefined;
  readonly pool: CodecPool;
  readonly walSegmentSize: number;
  /** For an incremental: where a chunk lies already. */
  readonly resolveExisting: WriteSeekableTarOptions["resolveExisting"];
  readonly signal: AbortSignal | undefined;
  readonly now: () => Date;
  readonly onProgress: (done: number, total: number | undefined) => void;
}

export interface StoredArchive {
  /** `base`, or the OID of a tablespace. */
  readonly name: string;
  readonly oid: number | undefined;
  readonly location: string | undefined;
  readonly object: BackupObject;
  readonly summary: WriteSummary;
}

export interface StoredArchives {
  readonly archives: readonly StoredArchive[];
  readonly table: SeekTableSummary;
  /** Archives, seek table and manifest. */
  readonly objects: readonly BackupObject[];
  readonly startLsn: Lsn;
  readonly startTimeline: number;
  readonly stopLsn: Lsn;
  readonly timeline: number;
  readonly stoppedAt: Date;
  /** The segments without which the backup is not consistent. */
  readonly wal: { readonly timeline: number; readonly fromIndex: number; readonly toIndex: number };
  readonly damaged: Extract<BaseBackupEvent, { type: "end" }>["damaged"];
}

/** Room for what a tar adds to the files: headers, padding, the end; and for what grew since the server's estimate. */
const ESTIMATE_FACTOR = 1.1;
const ESTIMATE_MARGIN = 1024 ** 3;
const TABLE_FRACTION = 0.001;

/** Streams BASE_BACKUP into the bucket: one object per tar, the seek table beside them, then the manifest. */
export async function storeArchives(store: ObjectStore, connection: ReplicationConnection, options: StoreArchivesOptions): Promise<StoredArchives> {
  const { label, signal, checkpoint, rateLimitBytes } = options;
  const limit = rateLimitBytes === undefined ? {} : { maxRateKilobytes: Math.floor(rateLimitBytes / 1024) };
  const events = new BackupEvents(baseBackup(connection, { label: `soar ${label}`, checkpoint, ...limit, signal }), options.onProgress);
  try {
    const start = await events.start();
    const { result: archives, summary } = await withTable(store, { label, total: events.total, signal }, (table) => storeEach(store, events, { ...options, table, start }));
    const manifest = await storeObject(store, label, BACKUP_OBJECTS.manifest, await events.manifest(), { signal });
    const end = await events.end();
    const index: BackupObject = { name: BACKUP_OBJECTS.index, size: summary.storedBytes, sha256: summary.storedSha256 };
    return {
      archives,
      table: summary,
      objects: [...archives.map(({ object }) => object), index, manifest],
      startLsn: start.startLsn,
      startTimeline: start.timeline,
      stopLsn: end.stopLsn,
      timeline: end.timeline,
      stoppedAt: options.now(),
      wal: { timeline: end.timeline, fromIndex: segmentIndexOfLsn(start.startLsn, options.walSegmentSize), toIndex: segmentIndexBeforeLsn(end.stopLsn, options.walSegmentSize) },
      damaged: end.damaged,
    };
  } finally {
    await events.close();
  }
}

interface TableOptions {
  readonly label: string;
  readonly total: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Uploads the seek table while it is written: for a large cluster it does not fit into the memory that a backup may use. */
async function withTable<T>(store: ObjectStore, { label, total, signal }: TableOptions, work: (table: SeekTableWriter) => Promise<T>): Promise<{ result: T; summary: SeekTableSummary }> {
  const stream = openSinkStream();
  const table = new SeekTableWriter({ chunkBytes: CHUNK_BYTES, sink: stream.write });
  const upload = uploadOwn(store, backupKey(label, BACKUP_OBJECTS.index), stream.body, { expectedSize: Math.ceil(expectedSize(total) * TABLE_FRACTION), signal });
  // Watched from the start: when the upload fails, the next row must fail, instead of waiting for ever to be taken.
  const watched = upload.catch((error: unknown) => stream.fail(error));
  try {
    const result = await work(table);
    const summary = await table.end();
    stream.end();
    await upload;
    return { result, summary };
  } catch (error) {
    stream.fail(error);
    await watched;
    throw error;
  }
}

type EachOptions = StoreArchivesOptions & { readonly table: SeekTableWriter; readonly start: Extract<BaseBackupEvent, { type: "start" }> };

async function storeEach(store: ObjectStore, events: BackupEvents, options: EachOptions): Promise<StoredArchive[]> {
  const { label, codec, level, table, pool, resolveExisting, signal, start } = options;
  const archives: StoredArchive[] = [];
  for (let archive = await events.nextArchive(); archive !== undefined; archive = await events.nextArchive()) {
    const { oid, location } = archive;
    const name = oid === undefined ? "base" : String(oid);
    const objectName = `${oid ?? "backup"}.${resolveExisting === undefined ? "tar" : "members"}${codecSuffix(codec)}`;
    const objectKey = backupKey(label, objectName);
    const write = writeSeekableTar({ source: archive.data, name, objectKey, codec, level, table, pool, chunkBytes: CHUNK_BYTES, resolveExisting, signal });
    const estimate = start.tablespaces.find((tablespace) => tablespace.oid === oid)?.estimatedBytes;
    const { size } = await uploadOwn(store, objectKey, write.body, { expectedSize: expectedSize(estimate ?? events.total), signal });
    const summary = write.summary();
    archives.push({ name, oid, location, summary, object: { name: objectName, size, sha256: summary.storedSha256 } });
  }
  return archives;
}

function expectedSize(estimatedBytes: number | undefined): number {
  return Math.ceil((estimatedBytes ?? 0) * ESTIMATE_FACTOR + ESTIMATE_MARGIN);
}
