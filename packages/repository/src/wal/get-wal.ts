import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";
import { crc32cOf } from "@soar/pg-tools/manifest";
import { decompressMember, type Codec } from "@soar/seekable-tar";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";
import { LARGEST_SEGMENT, LONGEST_DESCRIPTION, parseWalDescription, type WalDescription } from "./wal-description.ts";
import type { WalObject } from "./wal-key.ts";

/** Up to this stored size one request fetches the whole object. */
const LARGEST_SINGLE_GET = 64 * 1024 * 1024;

export interface DescribedWal {
  readonly description: WalDescription;
  /** Where the members end, which fill the bytes before: the changed blocks and the description follow. */
  readonly dataLength: number;
}

/** Reads what a compressed WAL object says of itself, with one request for its last bytes. */
export async function readWalDescription(
  store: ObjectStore,
  object: WalObject,
  options: CallOptions = {},
): Promise<DescribedWal> {
  const where = `${store.location}/${object.key}`;
  const suffix = Math.min(LONGEST_DESCRIPTION, object.size);
  const tail = await readObject(store, object.key, { ...options, range: { suffix } });
  return describeEnd(tail, object.size, requireCompressed(object, where), where);
}

export interface GetWalOptions extends CallOptions {
  /** Where decompression happens; by default on libuv's threads. */
  readonly decompress?: (codec: Codec, stored: Buffer, plainLength: number) => Promise<Buffer>;
  /**
   * Whether the stored bytes are compared with their recorded CRC-32C, too, where there is one: bits that no decompressor
   * looks at, and the changed blocks, which no reader of the plain bytes fetches.
   */
  readonly provesStored?: boolean;
}

/**
 * Yields the plain bytes of a WAL file in order. Only when the iteration has *ended* are they proved: size and SHA-256
 * are compared last (and the stored bytes, if asked for), so a reader must put them under a temporary name until then. Rejects with `REPOSITORY_DAMAGED`
 * for any difference. A bare object has nothing to be compared with but the size that the caller knows.
 */
export async function* getWalFile(
  store: ObjectStore,
  object: WalObject,
  options: GetWalOptions = {},
): AsyncGenerator<Buffer> {
  const where = `${store.location}/${object.key}`;
  if (object.codec === "none") {
    for await (const chunk of await store.get(object.key, options))
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    return;
  }
  const whole = object.size <= LARGEST_SINGLE_GET ? await readObject(store, object.key, options) : undefined;
  const { description, dataLength } =
    whole === undefined
      ? await readWalDescription(store, object, options)
      : describeEnd(whole, whole.length, object.codec, where);
  requireOwn({ description, dataLength }, object, where);
  const read = async (offset: number, length: number) =>
    whole?.subarray(offset, offset + length) ??
    readObject(store, object.key, { ...options, range: { offset, length } });
  yield* decodeMembers({ description, dataLength }, object.codec, read, where, options);
}

export interface ReadWalOptions extends GetWalOptions {
  /** Bytes of a segment: a file that holds more is damaged, and is not read to its end. PostgreSQL's largest unless given. */
  readonly segmentSize?: number | undefined;
}

/** The whole plain file in memory: for segments of ordinary size. */
export async function readWalFile(
  store: ObjectStore,
  object: WalObject,
  { segmentSize = LARGEST_SEGMENT, ...options }: ReadWalOptions = {},
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of getWalFile(store, object, options)) {
    size += part.length;
    if (size > segmentSize)
      throw damagedWal(`${store.location}/${object.key}`, `it holds more than ${segmentSize} bytes`);
    parts.push(part);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

async function* decodeMembers(
  { description, dataLength }: DescribedWal,
  codec: Codec,
  read: (offset: number, length: number) => Promise<Buffer>,
  where: string,
  options: GetWalOptions,
): AsyncGenerator<Buffer> {
  const decompress = options.decompress ?? decompressMember;
  const hash = createHash("sha256");
  const crc = options.provesStored === true ? description.crc : undefined;
  let storedCrc = 0;
  let offset = 0;
  let remaining = description.size;
  for (const length of description.members) {
    const plainLength = Math.min(remaining, description.memberSize);
    const stored = await read(offset, length);
    if (crc !== undefined) storedCrc = crc32cOf(stored, storedCrc);
    const plain = await decompress(codec, stored, plainLength).catch((cause: unknown) => {
      throw damagedWal(where, `the member at byte ${offset} cannot be decompressed`, cause);
    });
    hash.update(plain);
    offset += length;
    remaining -= plainLength;
    yield plain;
  }
  if (remaining !== 0) throw damagedWal(where, `its members hold ${remaining} bytes less than it says`);
  if (hash.digest("hex") !== description.sha256)
    throw damagedWal(where, "the SHA-256 of its plain bytes is not the recorded one");
  const { changes = 0 } = description;
  if (crc !== undefined) requireCrc(crc32cOf(await read(dataLength, changes), storedCrc), crc, where);
}

/** Parses the last bytes of an object, or all of them. Throws `REPOSITORY_DAMAGED`. */
export function describeEnd(
  tail: Buffer,
  objectSize: number,
  codec: Exclude<Codec, "none">,
  where: string,
): DescribedWal {
  const { description, length } = parseWalDescription(tail, codec, where);
  return { description, dataLength: objectSize - length - (description.changes ?? 0) };
}

/** A description is of this object, and of all its bytes. Throws `REPOSITORY_DAMAGED`. */
export function requireOwn({ description, dataLength }: DescribedWal, { name }: WalObject, where: string): void {
  if (description.name !== name) throw damagedWal(where, `it describes itself as '${description.name}'`);
  const sum = description.members.reduce((total, length) => total + length, 0);
  if (sum !== dataLength) throw damagedWal(where, `its members should have ${sum} bytes, there are ${dataLength}`);
}

/** Throws `REPOSITORY_DAMAGED`. */
export function requireCrc(found: number, recorded: number, where: string): void {
  if (found !== recorded) throw damagedWal(where, "the CRC-32C of its stored bytes is not the recorded one");
}

function requireCompressed(object: WalObject, where: string): Exclude<Codec, "none"> {
  if (object.codec !== "none") return object.codec;
  throw damagedWal(where, "a bare object does not describe itself");
}

function damagedWal(where: string, fact: string, cause?: unknown): SoarError {
  return new SoarError("REPOSITORY_DAMAGED", `'${where}' is damaged: ${fact}`, {
    cause,
    hint: "Restore an older version of the object from the bucket or from a copy. Until then, recovery ends before this segment.",
  });
}
