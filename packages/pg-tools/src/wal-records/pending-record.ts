import { CRC32C_START, finishCrc32c, updateCrc32c } from "./crc32c.ts";
import { RECORD_CRC_OFFSET, RECORD_HEADER_SIZE, RECORD_INFO_OFFSET, RECORD_RMID_OFFSET } from "./record-header.ts";
import { isDecodedRecord, isTransactionEnd } from "./record-types.ts";

/**
 * What is kept of the body of every record that crosses pages: more than the block references of a record can take, which
 * stand first. There are at most 33 (`XLR_MAX_BLOCK_ID`) of at most 25 bytes.
 */
export const HEAD_SIZE = 1024;

/**
 * A record that crosses pages, arriving piece by piece. Only its header and the beginning of its body are kept, and the whole
 * body of the few record types that are decoded: bulk loads write records of many megabytes that nobody needs to see.
 */
export class PendingRecord {
  /** Position of the record's first byte. */
  start = 0;
  length = 0;
  readonly header = new DataView(new ArrayBuffer(RECORD_HEADER_SIZE));
  readonly #headerBytes = new Uint8Array(this.header.buffer);
  readonly #head = Buffer.alloc(HEAD_SIZE);
  #received = 0;
  #crc = CRC32C_START;
  #body: Uint8Array[] = [];

  /** Forgets what was taken: one object serves all records, because every page ends inside one. */
  begin(start: number, length: number): void {
    this.start = start;
    this.length = length;
    this.#received = 0;
    this.#crc = CRC32C_START;
    if (this.#body.length > 0) this.#body = [];
  }

  get missing(): number {
    return this.length - this.#received;
  }

  get hasHeader(): boolean {
    return this.#received >= RECORD_HEADER_SIZE;
  }

  /** Whether the record's end has to be decoded; unknown, and therefore true, while its header is incomplete. */
  get isDecoded(): boolean {
    return (
      !this.hasHeader ||
      isDecodedRecord(this.header.getUint8(RECORD_RMID_OFFSET), this.header.getUint8(RECORD_INFO_OFFSET))
    );
  }

  /** Whether this is a commit or abort record, as far as can be told. */
  get mayEndTransaction(): boolean {
    return (
      !this.hasHeader ||
      isTransactionEnd(this.header.getUint8(RECORD_RMID_OFFSET), this.header.getUint8(RECORD_INFO_OFFSET))
    );
  }

  /** Takes the next `to - from` bytes of the record; `view` covers the same memory as `bytes`. */
  take(bytes: Uint8Array, view: DataView, from: number, to: number): void {
    let offset = from;
    for (; offset < to && !this.hasHeader; offset++) this.header.setUint8(this.#received++, view.getUint8(offset));
    this.#received += to - offset;
    this.#crc = updateCrc32c(this.#crc, bytes, view, offset, to);
    const headSize = this.#received - (to - offset) - RECORD_HEADER_SIZE;
    if (offset < to && headSize < HEAD_SIZE)
      this.#head.set(bytes.subarray(offset, Math.min(to, offset + HEAD_SIZE - headSize)), headSize);
    // A copy, because the caller may reuse the memory for the next page.
    if (offset < to && this.isDecoded) this.#body.push(new Uint8Array(bytes.subarray(offset, to)));
  }

  /** Whether the checksum over the complete record is right. */
  hasRightChecksum(): boolean {
    const crc = finishCrc32c(updateCrc32c(this.#crc, this.#headerBytes, this.header, 0, RECORD_CRC_OFFSET));
    return crc === this.header.getUint32(RECORD_CRC_OFFSET, true);
  }

  /** What has come so far of the record's first bytes: its header and `HEAD_SIZE` bytes. A copy. */
  beginning(): Buffer {
    const headSize = Math.min(HEAD_SIZE, Math.max(0, this.#received - RECORD_HEADER_SIZE));
    return Buffer.concat([
      this.#headerBytes.subarray(0, Math.min(this.#received, RECORD_HEADER_SIZE)),
      this.#head.subarray(0, headSize),
    ]);
  }

  /** Everything behind the header, or its first `HEAD_SIZE` bytes for a record that is not decoded. */
  body(): DataView {
    if (this.#body.length === 0)
      return new DataView(
        this.#head.buffer,
        this.#head.byteOffset,
        Math.min(HEAD_SIZE, this.#received - RECORD_HEADER_SIZE),
      );
    const bytes = Buffer.concat(this.#body);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}
