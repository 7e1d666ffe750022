import { createHash } from "node:crypto";
import { formatWalSegment } from "@soar/pg-tools";
import type { SegmentChanges } from "@soar/pg-tools/changed-blocks";
import type { ObjectStore } from "@soar/storage";
import { walKey, type WalFileSource, type WalObject } from "@soar/repository/wal";

export const SEGMENT_SIZE = 1024 * 1024;

export function segmentName(index: number, timeline = 1): string {
  return formatWalSegment({ timeline, index }, SEGMENT_SIZE);
}

/** A WAL file in memory, as the archiver hands it over. */
export function sourceOf(name: string, bytes: Buffer, facts?: WalFileSource["facts"]): WalFileSource {
  return {
    name,
    size: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    ...(facts === undefined ? {} : { facts }),
    async *open(memberSize) {
      for (let offset = 0; offset < bytes.length; offset += memberSize)
        yield bytes.subarray(offset, offset + memberSize);
    },
  };
}

/** What a segment changes: these units of one relation, and a database. */
export function changesOf(units: readonly number[]): SegmentChanges {
  return {
    blocksPerUnit: 16,
    relations: [{ tablespace: 1663, database: 5, fileNumber: 16384, newFrom: undefined, units }],
    databases: [{ tablespace: 1663, database: 9 }],
    doubts: [],
    firstPrevious: 7n,
    lastStart: 900n,
    cutStart: undefined,
    cut: Buffer.alloc(0),
    continued: Buffer.from("the rest"),
  };
}

/** A file of zeros but for one byte per MiB, which never lies in memory as a whole. */
export function sparseSource(name: string, size: number): WalFileSource {
  const piece = (offset: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at += SEGMENT_SIZE) bytes.writeUInt32LE(offset + at, at);
    return bytes;
  };
  const hash = createHash("sha256");
  for (let offset = 0; offset < size; offset += SEGMENT_SIZE)
    hash.update(piece(offset, Math.min(SEGMENT_SIZE, size - offset)));
  return {
    name,
    size,
    sha256: hash.digest("hex"),
    async *open(memberSize) {
      for (let offset = 0; offset < size; offset += memberSize)
        yield piece(offset, Math.min(memberSize, size - offset));
    },
  };
}

/** Bytes that compress a little, and differ for each seed. */
export function walBytes(seed: number, length = 2000): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = at % 7 === 0 ? (seed * 31 + at * 17) % 251 : at % 3;
  return bytes;
}

export async function keysOf(store: ObjectStore, prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

/** Puts bytes under a WAL key as they are, and names them as the listing would. */
export async function putRaw(
  store: ObjectStore,
  name: string,
  codec: WalObject["codec"],
  bytes: Buffer,
): Promise<WalObject> {
  const key = walKey(name, codec);
  const { size } = await store.put(key, bytes);
  return { name, key, codec, size };
}

/** The same bytes with one bit changed. */
export function flipped(bytes: Buffer, at: number, bit = 0x10): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ bit;
  return copy;
}
