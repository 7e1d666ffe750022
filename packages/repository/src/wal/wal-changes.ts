import { hasErrorCode, SoarError } from "@soar/errors";
import {
  coarsenChanges,
  formatChanges,
  LARGEST_UNIT,
  MOST_RELATIONS,
  parseChanges,
  type SegmentChanges,
} from "@soar/pg-tools/changed-blocks";
import { type Codec, compressMemberSync, decompressMemberSync } from "@soar/seekable-tar";
import { type CallOptions, type ObjectStore, readObject } from "@soar/storage";
import { LARGEST_CHANGES, LONGEST_DESCRIPTION, parseWalDescription } from "./wal-description.ts";
import type { WalObject } from "./wal-key.ts";

/**
 * The blocks that a segment changes stand between its members and its description, where `zstd -d` and `gunzip` skip them, too:
 *
 *   zstd   5B 2A 4D 18 | u32 length of payload | payload
 *   gzip   1F 8B 08 04 00000000 00 FF | u16 XLEN | 'S' 'B' u16 length | payload | 03 00 | 8 zero bytes
 *   payload = u32 length of the changes | the changes (`formatChanges`) as one member of the codec
 */
const ZSTD_SKIPPABLE = Buffer.from([0x5b, 0x2a, 0x4d, 0x18]);
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 0x08, 0x04, 0, 0, 0, 0, 0, 0xff]);
const GZIP_END = Buffer.from([0x03, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]);
const ZSTD_AROUND = 8;
const GZIP_AROUND = GZIP_HEADER.length + 6 + GZIP_END.length;
const LENGTH_BYTES = 4;

/** Plain bytes: as many units and relations as a segment names take less. */
const LARGEST_PLAIN = 16 * 1024 ** 2;

/** The stored form of a segment's changes, in larger units where it would take too much room; empty when even those do. */
export function encodeWalChanges(changes: SegmentChanges, codec: Exclude<Codec, "none">): Buffer {
  if (changes.relations.length > MOST_RELATIONS) return Buffer.alloc(0);
  for (let fitted = changes; fitted.blocksPerUnit <= LARGEST_UNIT; fitted = coarsenChanges(fitted)) {
    const plain = formatChanges(fitted);
    const framed = frame(plain.length, compressMemberSync(codec, plain), codec);
    if (plain.length <= LARGEST_PLAIN && framed.length <= LARGEST_CHANGES[codec]) return framed;
  }
  return Buffer.alloc(0);
}

/** Reads what `encodeWalChanges` wrote. Throws `REPOSITORY_DAMAGED`, `REPOSITORY_VERSION`. */
export function decodeWalChanges(stored: Buffer, codec: Exclude<Codec, "none">, where: string): SegmentChanges {
  const before = codec === "zstd" ? ZSTD_AROUND : GZIP_AROUND - GZIP_END.length;
  const end = stored.length - (codec === "zstd" ? 0 : GZIP_END.length);
  if (end < before + LENGTH_BYTES) throw damaged(where, "they are too short");
  const plainLength = stored.readUInt32LE(before);
  const member = stored.subarray(before + LENGTH_BYTES, end);
  // Every byte around the member is known, and the member has a checksum: any flipped bit is seen.
  if (plainLength > LARGEST_PLAIN || !frame(plainLength, member, codec).equals(stored))
    throw damaged(where, "they are not well-formed");
  try {
    return parseChanges(decompressMemberSync(codec, member, plainLength));
  } catch (error) {
    if (hasErrorCode(error, "FORMAT_INVALID")) throw damaged(where, error.message, error);
    throw error;
  }
}

/** The last bytes of most objects that hold both description and changes. */
const LIKELY_TAIL = 16 * 1024;

/** What an object says of the blocks that its segment changes, as it is stored: a small part of what it takes when it is read. */
export interface StoredWalChanges {
  /** Throws `REPOSITORY_DAMAGED`, `REPOSITORY_VERSION`. */
  decode(): SegmentChanges;
}

/**
 * Which blocks the segment of an object changes, with one request or two; undefined when the object does not say. Rejects
 * with `REPOSITORY_DAMAGED`, and as reading an object does.
 */
export async function readWalChanges(
  store: ObjectStore,
  object: WalObject,
  options: CallOptions = {},
): Promise<StoredWalChanges | undefined> {
  const { codec, key, name, size } = object;
  if (codec === "none") return undefined;
  const where = `${store.location}/${key}`;
  const suffix = Math.min(LIKELY_TAIL, size);
  const tail = await readObject(store, key, { ...options, range: { suffix } });
  const { description, length } = parseWalDescription(tail.subarray(-LONGEST_DESCRIPTION), codec, where);
  const { changes = 0 } = description;
  if (description.name !== name || changes + length > size)
    throw damaged(where, `the description is that of '${description.name}', with ${changes} bytes`);
  if (changes === 0) return undefined;
  const start = tail.length - length - changes;
  const stored =
    start >= 0
      ? tail.subarray(start, start + changes)
      : await readObject(store, key, { ...options, range: { offset: size - length - changes, length: changes } });
  return { decode: () => decodeWalChanges(stored, codec, where) };
}

function frame(plainLength: number, member: Buffer, codec: Exclude<Codec, "none">): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(plainLength);
  const size = LENGTH_BYTES + member.length;
  if (codec === "zstd") {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(size);
    return Buffer.concat([ZSTD_SKIPPABLE, head, length, member]);
  }
  const field = Buffer.alloc(6);
  field.writeUInt16LE((size + 4) & 0xffff, 0);
  field.write("SB", 2, "latin1");
  field.writeUInt16LE(size & 0xffff, 4);
  return Buffer.concat([GZIP_HEADER, field, length, member, GZIP_END]);
}

function damaged(where: string, fact: string, cause?: unknown): SoarError {
  return new SoarError("REPOSITORY_DAMAGED", `the changed blocks in '${where}' are damaged: ${fact}`, {
    cause,
    hint: "Nothing is lost: an incremental backup over this segment reads every file. Restore an older version of the object from the bucket, or take a full backup.",
  });
}
