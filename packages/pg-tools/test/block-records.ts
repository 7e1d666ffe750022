import type { BuiltRecord } from "./wal-builder.ts";

export interface BuiltReference {
  readonly tablespace?: number;
  readonly database?: number;
  readonly fileNumber: number;
  readonly fork?: number;
  readonly block: number;
  /** Of the block's data and of its image. */
  readonly data?: number;
  readonly image?: number;
  /** `bimg_info` of the image. */
  readonly imageInfo?: number;
}

/** A record that refers to these blocks, as `XLogRecordAssemble` writes it. */
export function referringRecord(references: readonly BuiltReference[], mainLength = 0, rmid = 10): BuiltRecord {
  const headers: Buffer[] = [];
  let contents = 0;
  let before: string | undefined;
  for (const [
    id,
    { tablespace = 1663, database = 5, fileNumber, fork = 0, block, data = 0, image = 0, imageInfo = 0 },
  ] of references.entries()) {
    const relation = `${tablespace}/${database}/${fileNumber}`;
    const same = relation === before;
    before = relation;
    const flags = fork | (image > 0 ? 0x10 : 0) | (data > 0 ? 0x20 : 0) | (same ? 0x80 : 0);
    headers.push(Buffer.from([id, flags, data & 255, data >>> 8]));
    contents += data + image;
    if (image > 0) {
      headers.push(Buffer.from([image & 255, image >>> 8, 0, 0, imageInfo]));
      if ((imageInfo & 1) !== 0 && (imageInfo & 0x1c) !== 0) headers.push(Buffer.from([7, 0]));
    }
    if (!same) headers.push(words(tablespace, database, fileNumber));
    headers.push(words(block));
  }
  if (mainLength > 0)
    headers.push(
      mainLength < 256 ? Buffer.from([255, mainLength]) : Buffer.concat([Buffer.from([254]), words(mainLength)]),
    );
  return { rmid, info: 0, body: Buffer.concat([...headers, Buffer.alloc(contents + mainLength, 0xee)]) };
}

/** Numbers of 32 bits, little endian. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}
