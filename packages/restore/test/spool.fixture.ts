import { formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import { sha256Hex } from "@soar/repository";
import { putWalFile, type WalObject } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import type { LineageTable } from "../src/wal/lineage-table.ts";

const SEGMENT_SIZE = 1024 * 1024;
const SYSTEM_IDENTIFIER = "7551234567890123456";

export const segmentName = (index: number): string => formatWalSegment({ timeline: 1, index }, SEGMENT_SIZE);

/** A segment with a true first page, as PostgreSQL 15 writes it, and its number in all other bytes. */
export function segmentBytes(index: number): Buffer {
  const bytes = Buffer.alloc(SEGMENT_SIZE, index);
  bytes.fill(0, 0, 40);
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(0x02, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(lsnOfSegmentIndex(index, SEGMENT_SIZE), 8);
  bytes.writeBigUInt64LE(BigInt(SYSTEM_IDENTIFIER), 24);
  bytes.writeUInt32LE(SEGMENT_SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}

/** Archives segments `first` to `first + count - 1` and plans them. */
export async function archiveSegments(store: ObjectStore, first: number, count: number): Promise<LineageTable> {
  const objects: WalObject[] = [];
  for (let index = first; index < first + count; index += 1) {
    const bytes = segmentBytes(index);
    const source = { name: segmentName(index), size: bytes.length, sha256: sha256Hex(bytes), open: () => once(bytes) };
    objects.push((await putWalFile(store, source, { codec: "zstd" })).object);
  }
  const segments = objects.map(({ name, key, size }) => ({ name, key, size }));
  return {
    format: 1,
    timeline: 1,
    systemIdentifier: SYSTEM_IDENTIFIER,
    segmentSize: SEGMENT_SIZE,
    firstIndex: first,
    segments,
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
