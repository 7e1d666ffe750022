import { formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import { crc32cOf } from "@soar/pg-tools/manifest";
import { sha256Hex } from "@soar/repository";
import { putWalFile } from "@soar/repository/wal";
import type { Codec } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";

export const SEGMENT_SIZE = 1024 * 1024;
export const SYSTEM_IDENTIFIER = "7551234567890123456";

export const segmentName = (index: number, timeline = 1): string => formatWalSegment({ timeline, index }, SEGMENT_SIZE);
export const segmentKey = (index: number, timeline = 1): string => `wal/${segmentName(index, timeline)}.zst`;

const LONG_HEADER = 40;
const SHORT_HEADER = 24;
const PAGE = 8192;
/** A record that fills the rest of its page behind a header of 24 bytes of its own. */
const RECORD_BYTES = { first: PAGE - LONG_HEADER, other: PAGE - SHORT_HEADER };

/** A finished segment of PostgreSQL 15: one record of no known meaning on every page, to the last byte. */
export function sampleSegment(
  index: number,
  { timeline = 1, systemIdentifier = SYSTEM_IDENTIFIER, fill = index } = {},
): Buffer {
  const bytes = Buffer.alloc(SEGMENT_SIZE, fill);
  const start = lsnOfSegmentIndex(index, SEGMENT_SIZE);
  let previous = start - BigInt(RECORD_BYTES.other);
  for (let offset = 0; offset < SEGMENT_SIZE; offset += PAGE) {
    const header = offset === 0 ? LONG_HEADER : SHORT_HEADER;
    bytes.fill(0, offset, offset + header);
    bytes.writeUInt16LE(0xd110, offset);
    bytes.writeUInt16LE(offset === 0 ? 0x02 : 0, offset + 2);
    bytes.writeUInt32LE(timeline, offset + 4);
    bytes.writeBigUInt64LE(start + BigInt(offset), offset + 8);
    if (offset === 0) {
      bytes.writeBigUInt64LE(BigInt(systemIdentifier), offset + 24);
      bytes.writeUInt32LE(SEGMENT_SIZE, offset + 32);
      bytes.writeUInt32LE(PAGE, offset + 36);
    }
    writeRecord(bytes.subarray(offset + header, offset + PAGE), previous);
    previous = start + BigInt(offset + header);
  }
  return bytes;
}

/** XLOG_NOOP with data. The checksum covers what follows the header first, then the header without it. */
function writeRecord(record: Buffer, previous: bigint): void {
  record.writeUInt32LE(record.length, 0);
  record.writeUInt32LE(0, 4);
  record.writeBigUInt64LE(previous, 8);
  record.writeUInt8(0x20, 16);
  record.fill(0, 17, 24);
  // Main data of a long length: id 254, four bytes of length.
  record.writeUInt8(254, 24);
  record.writeUInt32LE(record.length - 29, 25);
  record.writeUInt32LE(crc32cOf(Buffer.concat([record.subarray(24), record.subarray(0, 20)])), 20);
}

export async function archiveSample(
  store: ObjectStore,
  name: string,
  bytes: Buffer,
  { codec = "zstd", sysid = SYSTEM_IDENTIFIER }: { readonly codec?: Codec; readonly sysid?: string } = {},
): Promise<void> {
  const isSegment = /^[0-9A-F]{24}/.test(name) && !name.endsWith(".backup");
  await putWalFile(
    store,
    {
      name,
      size: bytes.length,
      sha256: sha256Hex(bytes),
      open: () => once(bytes),
      facts: isSegment ? { sysid } : undefined,
    },
    { codec },
  );
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}
