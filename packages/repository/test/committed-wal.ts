import { lsnOfSegmentIndex } from "@soar/pg-tools";
import { crc32cOf } from "@soar/pg-tools/manifest";

const PAGE = 8192;
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);

/** The beginning of a segment of PostgreSQL 15 in which nothing happens but commits at these moments, each of one transaction. */
export function committedWal(index: number, commits: readonly Date[], segmentSize: number): Buffer {
  const bytes = Buffer.alloc(PAGE);
  const start = lsnOfSegmentIndex(index, segmentSize);
  bytes.writeUInt16LE(0xd110, 0);
  // The long form of a page's header.
  bytes.writeUInt16LE(0x02, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(start, 8);
  bytes.writeBigUInt64LE(7_000_000_000_000_000_001n, 24);
  bytes.writeUInt32LE(segmentSize, 32);
  bytes.writeUInt32LE(PAGE, 36);
  let [position, previous] = [40, start - 100n];
  for (const commit of commits) {
    commitRecord(commit, previous).copy(bytes, position);
    previous = start + BigInt(position);
    position += 40;
  }
  return bytes.subarray(0, position);
}

/** XLOG_XACT_COMMIT with nothing but its time; 34 bytes, on a boundary of eight. */
function commitRecord(at: Date, previous: bigint): Buffer {
  const record = Buffer.alloc(34);
  record.writeUInt32LE(record.length, 0);
  record.writeUInt32LE(700, 4);
  record.writeBigUInt64LE(previous, 8);
  // Resource manager 1 is RM_XACT_ID. Main data of a short length: id 255, one byte of length.
  record.writeUInt8(1, 17);
  record.writeUInt8(255, 24);
  record.writeUInt8(8, 25);
  record.writeBigInt64LE(BigInt(at.getTime() - POSTGRES_EPOCH_MS) * 1000n, 26);
  record.writeUInt32LE(crc32cOf(Buffer.concat([record.subarray(24), record.subarray(0, 20)])), 20);
  return record;
}
