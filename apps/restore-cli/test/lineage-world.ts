import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatLsn, formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import { sha256Hex } from "@soar/repository";
import { findWalObjects, putWalFile, type WalObject } from "@soar/repository/wal";
import { openStore, type ObjectStore } from "@soar/storage";

export const SEGMENT_SIZE = 1024 * 1024;
export const SYSTEM_IDENTIFIER = "7551234567890123456";
/** Bytes of segment 4 that both timelines share. */
export const CUT = 4096;

export const segmentName = (index: number, timeline = 1): string => formatWalSegment({ timeline, index }, SEGMENT_SIZE);

/** A segment with a true first page and synthetic contents, as written by PostgreSQL 15. */
export function segmentBytes(index: number, timeline = 1, systemIdentifier = SYSTEM_IDENTIFIER): Buffer {
  const bytes = Buffer.alloc(SEGMENT_SIZE, index);
  bytes.fill(0, 0, 40);
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(0x02, 2);
  bytes.writeUInt32LE(timeline, 4);
  bytes.writeBigUInt64LE(lsnOfSegmentIndex(index, SEGMENT_SIZE), 8);
  bytes.writeBigUInt64LE(BigInt(systemIdentifier), 24);
  bytes.writeUInt32LE(SEGMENT_SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}

export async function archive(
  store: ObjectStore,
  name: string,
  bytes: Buffer,
  codec: "zstd" | "none" = "zstd",
): Promise<WalObject> {
  const source = { name, size: bytes.length, sha256: sha256Hex(bytes), open: () => once(bytes) };
  return (await putWalFile(store, source, { codec })).object;
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

export interface LineageWorld {
  readonly store: ObjectStore;
  readonly plan: string;
  /** Stands for the data directory. */
  readonly directory: string;
  readonly bucketDirectory: string;
  dispose(): void;
}

/** Segments 2 to 4 are planned: 1/2, 1/3, and 2/4 from the parent's copy, cut at `CUT`. Both branches went on. */
export async function createLineageWorld(): Promise<LineageWorld> {
  const root = mkdtempSync(join(tmpdir(), "soar-wal-fetch-"));
  const [directory, bucketDirectory] = [join(root, "data"), join(root, "bucket")];
  mkdirSync(join(directory, "pg_wal"), { recursive: true });
  const store = openStore({ url: `file://${bucketDirectory}` });
  mkdirSync(bucketDirectory);
  for (const [index, timeline] of [
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 1],
    [5, 1],
    [5, 2],
  ] as const)
    await archive(store, segmentName(index, timeline), segmentBytes(index, timeline));
  await archive(
    store,
    "00000002.history",
    Buffer.from(`1\t${formatLsn(lsnOfSegmentIndex(4, SEGMENT_SIZE) + BigInt(CUT))}\tno recovery target specified\n`),
  );
  const plan = join(directory, "lineage.json");
  await writePlan(store, plan);
  return { store, plan, directory, bucketDirectory, dispose: () => rmSync(root, { recursive: true, force: true }) };
}

export async function writePlan(store: ObjectStore, path: string, change: object = {}): Promise<void> {
  const planned = async (index: number, timeline: number, cut?: string) => {
    const [object] = await findWalObjects(store, segmentName(index, 1));
    return {
      name: segmentName(index, timeline),
      key: object?.key,
      size: object?.size,
      ...(cut === undefined ? {} : { cut }),
    };
  };
  const cut = formatLsn(lsnOfSegmentIndex(4, SEGMENT_SIZE) + BigInt(CUT));
  const segments = [await planned(2, 1), await planned(3, 1), await planned(4, 2, cut)];
  writeFileSync(
    path,
    JSON.stringify({
      format: 1,
      timeline: 2,
      systemIdentifier: SYSTEM_IDENTIFIER,
      segmentSize: SEGMENT_SIZE,
      firstIndex: 2,
      segments,
      ...change,
    }),
  );
}
