import { segmentIndexBeforeLsn, segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import { backupKey, BACKUP_OBJECTS } from "@soar/repository";
import { codecSuffix } from "@soar/repository/wal";
import {
  DEFAULT_CHUNK_BYTES as CHUNK_BYTES,
  SeekTableWriter,
  writeSeekableTar,
  type Codec,
  type CodecPool,
  type SeekableTarWrite,
  type SeekTableSummary,
  type WriteSummary,
} from "@soar/seekable-tar";
import { type FurtherObjects, writeMembers } from "@soar/seekable-tar/members";
import { objectSizesFor, type ObjectStore } from "@soar/storage";
import { proveMaxParts } from "@soar/storage/probes";
import { openSinkStream } from "./sink-stream.ts";
import {
  type ArchiveFiles,
  type ArchiveStream,
  estimatedTotal,
  type ExistingMembers,
  type FinishedBackup,
  type RunningBackup,
  type UnreadChunks,
} from "../source/backup-source.ts";
import { storeObject, type BackupObject } from "./store-object.ts";
import { uploadClaimed } from "./upload-claimed.ts";

export interface StoreArchivesOptions {
  readonly label: string;
  readonly codec: Codec;
  readonly level: number | undefined;
  readonly pool: CodecPool;
  readonly walSegmentSize: number;
  /** For an incremental: where a chunk lies already. */
  readonly existing: ExistingMembers | undefined;
  /** Of these, what need not be read. */
  readonly unchanged: UnreadChunks | undefined;
  readonly signal: AbortSignal | undefined;
  readonly now: () => Date;
}

export interface StoredArchive {
  /** `base`, or the OID of a tablespace. */
  readonly name: string;
  readonly oid: number | undefined;
  readonly location: string | undefined;
  /** In the order of the stream; one, unless it is too large for one. */
  readonly objects: readonly BackupObject[];
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
  readonly damaged: FinishedBackup["damaged"];
  readonly warnings: FinishedBackup["warnings"];
}

/** Room for what a tar adds to the files: headers, padding, the end; and for what grew since the server's estimate. */
const ESTIMATE_FACTOR = 1.1;
const ESTIMATE_MARGIN = 1024 ** 3;
const TABLE_FRACTION = 0.001;

/** Streams a backup into the bucket: one object per tar, the seek table beside them, then the manifest. */
export async function storeArchives(
  store: ObjectStore,
  running: RunningBackup,
  options: StoreArchivesOptions,
): Promise<StoredArchives> {
  const { label, signal, walSegmentSize } = options;
  const { startLsn, startTimeline } = running;
  const total = estimatedTotal(running.tablespaces);
  const { result: archives, summary } = await withTable(store, { label, total, signal }, (table) =>
    storeEach(store, running, { ...options, table, total }),
  );
  const { manifest: bytes, stopLsn, timeline, damaged, warnings } = await running.finish();
  const stoppedAt = options.now();
  const manifest = await storeObject(store, label, BACKUP_OBJECTS.manifest, bytes, { signal });
  const index: BackupObject = { name: BACKUP_OBJECTS.index, size: summary.storedBytes, sha256: summary.storedSha256 };
  return {
    archives,
    table: summary,
    objects: [...archives.flatMap(({ objects }) => objects), index, manifest],
    startLsn,
    startTimeline,
    stopLsn,
    timeline,
    stoppedAt,
    wal: {
      timeline,
      fromIndex: segmentIndexOfLsn(startLsn, walSegmentSize),
      toIndex: segmentIndexBeforeLsn(stopLsn, walSegmentSize),
    },
    damaged,
    warnings,
  };
}

interface TableOptions {
  readonly label: string;
  readonly total: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Uploads the seek table while it is written: for a large cluster it does not fit into the memory that a backup may use. */
async function withTable<T>(
  store: ObjectStore,
  { label, total, signal }: TableOptions,
  work: (table: SeekTableWriter) => Promise<T>,
): Promise<{ result: T; summary: SeekTableSummary }> {
  const stream = openSinkStream();
  const table = new SeekTableWriter({ chunkBytes: CHUNK_BYTES, sink: stream.write });
  const upload = uploadClaimed(store, backupKey(label, BACKUP_OBJECTS.index), stream.body, {
    expectedSize: Math.ceil(expectedSize(total) * TABLE_FRACTION),
    signal,
  });
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

type EachOptions = StoreArchivesOptions & { readonly table: SeekTableWriter; readonly total: number | undefined };

async function storeEach(store: ObjectStore, running: RunningBackup, options: EachOptions): Promise<StoredArchive[]> {
  const { label, codec, existing, signal, total } = options;
  const archives: StoredArchive[] = [];
  // One after the other: the rows of an archive stand together in the seek table, and each keeps all workers busy.
  for await (const archive of running.archives()) {
    const { oid, location } = archive;
    const name = oid === undefined ? "base" : String(oid);
    const nameOf = (number: number): string =>
      archiveObjectName(oid, { number, codec, isFull: existing === undefined });
    const keyOf = (number: number): string => backupKey(label, nameOf(number));
    const estimate = running.tablespaces.find((tablespace) => tablespace.oid === oid)?.estimatedBytes;
    const expected = expectedSize(estimate ?? total);
    // Before it is decided how large an object may be: a server that takes few parts has smaller ones.
    await proveMaxParts(store, keyOf(1), { expectedSize: expected, signal });
    const { partSize, objectBytes } = objectSizesFor(expected, store.features);
    const write = writeArchive(archive, {
      ...options,
      name,
      objectKey: keyOf(1),
      further: { bytes: objectBytes, keyOf },
    });
    for await (const { key, body } of write.objects())
      await uploadClaimed(store, key, body, { expectedSize: expected, partSize, signal });
    const summary = write.summary();
    const objects = summary.objects.map(({ storedBytes, storedSha256 }, at) => {
      return { name: nameOf(at + 1), size: storedBytes, sha256: storedSha256 };
    });
    archives.push({ name, oid, location, summary, objects });
  }
  return archives;
}

/** `backup.tar.gz`, then `backup-2.tar.gz`; what an incremental adds is no tar. */
function archiveObjectName(
  oid: number | undefined,
  { number, codec, isFull }: { readonly number: number; readonly codec: Codec; readonly isFull: boolean },
): string {
  return `${oid ?? "backup"}${number === 1 ? "" : `-${number}`}.${isFull ? "tar" : "members"}${codecSuffix(codec)}`;
}

function writeArchive(
  archive: ArchiveStream | ArchiveFiles,
  options: EachOptions & { readonly name: string; readonly objectKey: string; readonly further: FurtherObjects },
): SeekableTarWrite {
  const { codec, level, table, pool, existing, unchanged, signal, name, objectKey, further } = options;
  const common = { name, objectKey, further, codec, table, releaseBody: true, signal };
  if ("members" in archive)
    return writeMembers({
      ...common,
      ...archive.members({ codec, level, workers: pool.workers, existing, unchanged }),
    });
  return writeSeekableTar({
    ...common,
    source: archive.data,
    level,
    pool,
    chunkBytes: CHUNK_BYTES,
    resolveExisting: existing?.find,
  });
}

function expectedSize(estimatedBytes: number | undefined): number {
  return Math.ceil((estimatedBytes ?? 0) * ESTIMATE_FACTOR + ESTIMATE_MARGIN);
}
