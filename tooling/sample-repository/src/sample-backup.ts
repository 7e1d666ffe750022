import {
  formatBackupLabel,
  formatBackupManifest,
  formatLsn,
  lsnOfSegmentIndex,
  pageChecksum,
  createFileChecksum,
  parseLsn,
  type BackupManifest,
} from "@soar/pg-tools";
import {
  backupKey,
  claimLabel,
  claimRepository,
  putBackupRecord,
  sha256Hex,
  type BackupRecord,
} from "@soar/repository";
import {
  createCodecPool,
  DigestIndex,
  readSeekTable,
  SeekTableWriter,
  writeSeekableTar,
  type MemberLocation,
  type SeekTableSummary,
} from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";
import { archiveSample, sampleSegment, segmentName, SEGMENT_SIZE, SYSTEM_IDENTIFIER } from "./sample-wal.ts";

export const SAMPLE_LABEL = "2025-01-05";
const CHUNK = 16_384;
const PAGE = 8192;
export const SAMPLE_TABLESPACE = 16_420;
const RELATION = "base/5/16384";

/**
 * A healthy repository: a backup that needs segments 3 and 4, WAL of timeline 1 from 2 to 6, and of timeline 2, which left
 * it in segment 6, to 8.
 */
export async function fillSampleRepository(
  store: ObjectStore,
  { label = SAMPLE_LABEL }: { readonly label?: string } = {},
): Promise<void> {
  await claimRepository(
    store,
    { systemIdentifier: SYSTEM_IDENTIFIER, postgresMajor: 15, walSegmentSize: SEGMENT_SIZE },
    { toolVersion: "test", now: new Date("2025-01-05T02:00:00Z") },
  );
  for (const index of [2, 3, 4, 5, 6]) await archiveSample(store, segmentName(index), sampleSegment(index));
  for (const index of [6, 7, 8])
    await archiveSample(store, segmentName(index, 2), sampleSegment(index, { timeline: index === 6 ? 1 : 2 }));
  await archiveSample(
    store,
    "00000002.history",
    Buffer.from(`1\t${formatLsn(lsnOfSegmentIndex(6, SEGMENT_SIZE) + 8192n)}\tno recovery target specified\n`),
  );
  await archiveSample(store, `${segmentName(3)}.00000028.backup`, Buffer.from("START WAL LOCATION"));
  await putSampleBackup(store, { label, first: 3 });
}

export interface SampleBackup {
  readonly label: string;
  /** It begins in this segment and is consistent in the next one. */
  readonly first: number;
  /** Refers to the chunks of this backup. */
  readonly base?: BackupRecord;
  /** Seed of the pages: another one is another state of the cluster. */
  readonly state?: number;
  /** Changes pages before they are backed up. */
  readonly damage?: (pages: Buffer) => void;
  readonly checksums?: "CRC32C" | "SHA256";
  /** Files of the data directory that its archive lacks. */
  readonly without?: readonly string[];
  /** Changes the record before it is written. */
  readonly change?: (record: BackupRecord) => BackupRecord;
}

/** A backup of a cluster with one relation of twelve pages and one in a tablespace. */
export async function putSampleBackup(store: ObjectStore, options: SampleBackup): Promise<BackupRecord> {
  const { label, first, base } = options;
  const positions = positionsOf(first);
  await claimLabel(store, {
    format: 1,
    label,
    host: "h",
    processId: 1,
    startedAt: `${label.slice(0, 10)}T02:00:00.000Z`,
    deadline: `${label.slice(0, 10)}T03:00:00.000Z`,
    references: [],
  });
  const all = filesOf(options, positions);
  const files = {
    ...all,
    base: Object.fromEntries(Object.entries(all.base).filter(([path]) => options.without?.includes(path) !== true)),
  };
  const written = await writeArchives(store, options, files);
  const manifest = formatBackupManifest(manifestOf(files, positions, options.checksums ?? "CRC32C"));
  const loose = {
    backup_label: all.base["backup_label"] ?? Buffer.alloc(0),
    backup_manifest: Buffer.from(manifest),
    "server-config.tar.gz": Buffer.from("configuration"),
  };
  for (const [name, bytes] of Object.entries(loose)) await store.put(backupKey(label, name), bytes);
  const objects = [
    ...written.objects,
    ...Object.entries(loose).map(([name, bytes]) => ({ name, size: bytes.length, sha256: sha256Hex(bytes) })),
  ];
  const record = (options.change ?? ((same) => same))({
    ...recordOf(label, positions),
    kind: base === undefined ? "full" : "incremental",
    references: base === undefined ? [] : [base.label],
    archives: written.archives,
    objects,
    index: {
      members: written.table.frames.map(
        ({ storedLength, plainLength, sha256 }) => [storedLength, plainLength, sha256] as [number, number, string],
      ),
    },
    sizes: { database: 1, tar: 1, stored: written.archives.reduce((sum, { stored }) => sum + stored, 0), new: 1 },
  });
  await putBackupRecord(store, record);
  return record;
}

interface Positions {
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly firstSegment: string;
  readonly lastSegment: string;
}

function positionsOf(first: number): Positions {
  const lsn = (index: number) => formatLsn(lsnOfSegmentIndex(index, SEGMENT_SIZE) + 0x28n);
  return {
    startLsn: lsn(first),
    stopLsn: lsn(first + 1),
    firstSegment: segmentName(first),
    lastSegment: segmentName(first + 1),
  };
}

type Files = Readonly<Record<string, Buffer>>;

function filesOf(
  { label, state = 1, damage }: SampleBackup,
  { startLsn, firstSegment }: Positions,
): { readonly base: Files; readonly tablespace: Files } {
  const lsn = parseLsn(startLsn);
  const text = formatBackupLabel({
    startLsn: lsn,
    startSegmentName: firstSegment,
    checkpointLsn: lsn,
    method: "streamed",
    from: "primary",
    startTime: "2025-01-05 02:00:00 UTC",
    label: `soar ${label}`,
    startTimeline: 1,
    incrementalFrom: undefined,
  });
  const relation = pages(12, state);
  damage?.(relation);
  return {
    base: {
      PG_VERSION: Buffer.from("15\n"),
      backup_label: Buffer.from(text),
      empty: Buffer.alloc(0),
      "base/5/2619": pages(2, 7),
      [RELATION]: relation,
      "global/pg_control": Buffer.alloc(PAGE, 3),
    },
    tablespace: { "PG_15_202209061/5/16500": pages(4, 9) },
  };
}

function pages(count: number, seed: number): Buffer {
  const bytes = Buffer.alloc(count * PAGE);
  for (let block = 0; block < count; block++) {
    const page = bytes.subarray(block * PAGE, (block + 1) * PAGE);
    // The last page changes with the state, the others stay.
    for (let at = 24; at < PAGE; at += 4)
      page.writeUInt32LE(((block === count - 1 ? seed : 1) * 2_654_435_761 + at * (block + 1)) >>> 0, at);
    page.writeUInt32LE(0x1000, 4);
    page.writeUInt16LE(24, 12);
    page.writeUInt16LE(PAGE, 14);
    page.writeUInt16LE(pageChecksum(new DataView(page.buffer, page.byteOffset, PAGE), 0, PAGE, block), 8);
  }
  return bytes;
}

interface Written {
  readonly archives: BackupRecord["archives"];
  readonly objects: BackupRecord["objects"];
  readonly table: SeekTableSummary;
}

async function writeArchives(
  store: ObjectStore,
  { label, base }: SampleBackup,
  files: ReturnType<typeof filesOf>,
): Promise<Written> {
  const frames: Buffer[] = [];
  const table = new SeekTableWriter({ chunkBytes: CHUNK, sink: (frame) => void frames.push(frame) });
  const index = base === undefined ? undefined : await indexOf(store, base);
  const kind = index === undefined ? "tar" : "members";
  const archives: BackupRecord["archives"] = [];
  const objects: BackupRecord["objects"] = [];
  const pool = createCodecPool({ workers: 1 });
  try {
    for (const [name, oid, content] of [
      [String(SAMPLE_TABLESPACE), SAMPLE_TABLESPACE, files.tablespace],
      ["base", undefined, files.base],
    ] as const) {
      const object = `${oid ?? "backup"}.${kind}.gz`;
      const resolveExisting = (sha256: Buffer, length: number): MemberLocation | undefined =>
        index?.find(sha256, length);
      const write = writeSeekableTar({
        source: [tarOf(content)],
        name,
        objectKey: backupKey(label, object),
        codec: "gzip",
        table,
        pool,
        chunkBytes: CHUNK,
        bundleBytes: 4 * CHUNK,
        resolveExisting,
      });
      const bytes = Buffer.concat(await Array.fromAsync(write.body));
      await store.put(backupKey(label, object), bytes);
      archives.push({
        name,
        ...(oid === undefined ? {} : { oid }),
        object,
        tar: write.summary().plainBytes,
        stored: bytes.length,
      });
      objects.push({ name: object, size: bytes.length, sha256: sha256Hex(bytes) });
    }
  } finally {
    await pool.close();
  }
  const summary = await table.end();
  await store.put(backupKey(label, "index.zst"), Buffer.concat(frames));
  objects.push({ name: "index.zst", size: summary.storedBytes, sha256: summary.storedSha256 });
  return { archives, objects, table: summary };
}

async function indexOf(store: ObjectStore, { label, index }: BackupRecord): Promise<DigestIndex> {
  const key = backupKey(label, "index.zst");
  const frames = index.members.map(([storedLength, plainLength, sha256]) => ({ storedLength, plainLength, sha256 }));
  const digests = new DigestIndex();
  digests.addTable(
    await readSeekTable({
      name: key,
      frames,
      fetch: (offset, length) => readObject(store, key, { range: { offset, length } }),
    }),
  );
  return digests;
}

function tarOf(files: Files): Buffer {
  const blocks = Object.entries(files).flatMap(([path, content]) => {
    return [tarHeader(path, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** ustar, as PostgreSQL writes it (`tarCreateHeader`). */
function tarHeader(path: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")} `;
  header.write(path, 0);
  header.write(octal(0o600, 6), 100);
  header.write(octal(1000, 6), 108);
  header.write(octal(1000, 6), 116);
  header.write(octal(size, 11), 124);
  header.write(octal(Date.parse("2025-01-05T02:00:00Z") / 1000, 11), 136);
  header.write("        0", 148);
  header.write("ustar\u000000", 257);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    ),
    148,
  );
  return header;
}

function manifestOf(
  { base, tablespace }: ReturnType<typeof filesOf>,
  { startLsn, stopLsn }: Positions,
  algorithm: "CRC32C" | "SHA256",
): Omit<BackupManifest, "checksum"> {
  const paths = {
    ...base,
    ...Object.fromEntries(
      Object.entries(tablespace).map(([path, content]) => [`pg_tblspc/${SAMPLE_TABLESPACE}/${path}`, content]),
    ),
  };
  const files = Object.entries(paths).map(([path, content]) => {
    const checksum = createFileChecksum(algorithm);
    checksum.update(content);
    return {
      path,
      pathBytes: undefined,
      size: content.length,
      lastModified: new Date("2025-01-05T02:00:00Z"),
      checksum: { algorithm, value: checksum.digest() },
    };
  });
  return {
    version: 1,
    systemIdentifier: undefined,
    walRanges: [{ timeline: 1, startLsn: parseLsn(startLsn), endLsn: parseLsn(stopLsn) }],
    files,
  };
}

function recordOf(label: string, positions: Positions): BackupRecord {
  return {
    format: 1,
    label,
    kind: "full",
    references: [],
    systemIdentifier: SYSTEM_IDENTIFIER,
    postgresVersion: 150_018,
    walSegmentSize: SEGMENT_SIZE,
    timeline: 1,
    ...positions,
    checkpointLsn: positions.startLsn,
    startedAt: `${label.slice(0, 10)}T02:00:00.000Z`,
    stoppedAt: `${label.slice(0, 10)}T03:00:00.000Z`,
    durationMs: 1,
    sizes: { database: 1, tar: 1, stored: 1, new: 1 },
    codec: "gzip",
    chunkSize: CHUNK,
    source: { method: "replication", fromStandby: false, host: "h", dataDirectory: "/data" },
    dataChecksums: true,
    settings: {},
    databases: [],
    tablespaces: [],
    archives: [],
    objects: [],
    index: { members: [] },
    damagedPages: [],
    createdBy: "test",
  };
}
