import { crc32c } from "@node-rs/crc32";

export interface BuiltRecord {
  readonly rmid: number;
  readonly info: number;
  readonly xid?: number;
  /** Main data; `body` instead gives everything behind the record header as it is. */
  readonly data?: Uint8Array;
  readonly body?: Uint8Array;
}

export interface WalBuilderOptions {
  readonly startLsn: bigint;
  readonly timeline?: number;
  readonly magic?: number;
  readonly segmentSize?: number;
  readonly blockSize?: number;
}

export const BUILT_SYSTEM_IDENTIFIER = 7_400_000_000_000_000_007n;

/** Writes WAL as the server lays it out, so that tests can then damage it at a place of their choice. */
export class WalBuilder {
  readonly #startLsn: bigint;
  readonly #magic: number;
  readonly segmentSize: number;
  readonly blockSize: number;
  /** Timeline of the pages to come. */
  timeline: number;
  #bytes = Buffer.alloc(0);
  /** Bytes written so far, page headers included. */
  position = 0;
  previousLsn: bigint;

  constructor({ startLsn, timeline = 1, magic = 0xd110, segmentSize = 2 ** 20, blockSize = 8192 }: WalBuilderOptions) {
    this.#startLsn = startLsn;
    this.#magic = magic;
    this.segmentSize = segmentSize;
    this.blockSize = blockSize;
    this.timeline = timeline;
    this.previousLsn = startLsn - 100n;
  }

  /** Appends a record, over as many pages as it takes; returns its LSN. */
  record(record: BuiltRecord): bigint {
    this.#beginPage(0, 0);
    const lsn = this.#startLsn + BigInt(this.position);
    this.#write(this.recordBytes(record));
    this.previousLsn = lsn;
    this.position = align(this.position);
    return lsn;
  }

  /** The bytes of a record that would follow on the last one. */
  recordBytes({ rmid, info, xid = 0, data = new Uint8Array(0), body = mainData(data) }: BuiltRecord): Buffer {
    const bytes = Buffer.alloc(24 + body.length);
    bytes.writeUInt32LE(bytes.length, 0);
    bytes.writeUInt32LE(xid, 4);
    bytes.writeBigUInt64LE(this.previousLsn, 8);
    bytes[16] = info;
    bytes[17] = rmid;
    bytes.set(body, 24);
    bytes.writeUInt32LE(crc32c(bytes.subarray(0, 20), crc32c(bytes.subarray(24))), 20);
    return bytes;
  }

  /** Appends a switch record and leaves the rest of the segment as it is. */
  switchSegment(): bigint {
    const lsn = this.record({ rmid: 0, info: 0x40 });
    this.position = Math.ceil(this.position / this.segmentSize) * this.segmentSize;
    return lsn;
  }

  /** Begins a log with the last `length` bytes of a record of the segment before. */
  continuation(length: number): void {
    this.#write(Buffer.alloc(length, 0xcc), true);
    this.position = align(this.position);
  }

  /** Appends only the first bytes of a record, as a crash leaves it, and goes on with the flag for that at the next page. */
  cutRecord(record: BuiltRecord): bigint {
    this.#beginPage(0, 0);
    const lsn = this.#startLsn + BigInt(this.position);
    const room = this.blockSize - (this.position % this.blockSize);
    this.#write(this.recordBytes(record).subarray(0, room));
    this.#beginPage(8, 0);
    return lsn;
  }

  /** Everything written, and zeros up to the end of the segment. */
  bytes(): Buffer {
    const size = Math.max(1, Math.ceil(this.position / this.segmentSize)) * this.segmentSize;
    return Buffer.concat([this.#bytes, Buffer.alloc(Math.max(0, size - this.#bytes.length))], size);
  }

  #write(data: Uint8Array, continues = false): void {
    let written = 0;
    while (written < data.length) {
      if (written > 0 || continues) this.#beginPage(1, data.length - written);
      const room = this.blockSize - (this.position % this.blockSize);
      const part = data.subarray(written, written + room);
      this.#room(part.length).set(part, this.position);
      this.position += part.length;
      written += part.length;
    }
  }

  #beginPage(flags: number, remaining: number): void {
    if (this.position % this.blockSize !== 0) return;
    const isLong = this.position % this.segmentSize === 0;
    const bytes = this.#room(40);
    bytes.writeUInt16LE(this.#magic, this.position);
    bytes.writeUInt16LE(flags | (isLong ? 2 : 0), this.position + 2);
    bytes.writeUInt32LE(this.timeline, this.position + 4);
    bytes.writeBigUInt64LE(this.#startLsn + BigInt(this.position), this.position + 8);
    bytes.writeUInt32LE(remaining, this.position + 16);
    if (isLong) {
      bytes.writeBigUInt64LE(BUILT_SYSTEM_IDENTIFIER, this.position + 24);
      bytes.writeUInt32LE(this.segmentSize, this.position + 32);
      bytes.writeUInt32LE(this.blockSize, this.position + 36);
    }
    this.position += isLong ? 40 : 24;
  }

  #room(length: number): Buffer {
    const needed = this.position + length;
    if (this.#bytes.length < needed)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(needed * 2 - this.#bytes.length)]);
    return this.#bytes;
  }
}

function align(position: number): number {
  return Math.ceil(position / 8) * 8;
}

function mainData(data: Uint8Array): Buffer {
  if (data.length === 0) return Buffer.alloc(0);
  if (data.length < 256) return Buffer.from([255, data.length, ...data]);
  const header = Buffer.alloc(5, 254);
  header.writeUInt32LE(data.length, 1);
  return Buffer.concat([header, data]);
}

/** Microseconds since 2000 as the eight bytes of a TimestampTz. */
export function timestampBytes(microseconds: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(microseconds);
  return bytes;
}

/** A commit record without any optional part. */
export function commitRecord(xid: number, microseconds: bigint): BuiltRecord {
  return { rmid: 1, info: 0, xid, data: timestampBytes(microseconds) };
}

/** A record of a type that is not decoded, with so many bytes of data. */
export function heapRecord(length: number, xid = 0): BuiltRecord {
  return { rmid: 10, info: 0, xid, data: Buffer.alloc(length, 0xab) };
}

/** Main data of a restore point. */
export function restorePointData(name: string, microseconds: bigint): Buffer {
  return Buffer.concat([timestampBytes(microseconds), Buffer.from(name)], 72);
}
