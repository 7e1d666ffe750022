import { createHash, randomFillSync } from "node:crypto";
import type { MemberLocation, PlacedEntry } from "@soar/seekable-tar";
import { crc32cOf } from "@soar/pg-tools/manifest";

export const LABEL = "2025-01-06";
export const OBJECT = "backup.tar";
/** As PostgreSQL cuts relations. */
const FILE_BYTES = 1024 ** 3;
const CHUNK_BYTES = 1024 ** 2;
const HEADER_BYTES = 512;
/** How large the cluster is, and how much of its beginning can be fetched: what lies behind has digests of nothing. */
export interface SyntheticSize {
  readonly gigabytes: number;
  readonly fetched: number;
}

/** Behind what is fetched, for what is read ahead. */
const MARGIN_BYTES = 2e9;

/** A row of the seek table to come: an entry, or a member with its place in the object. */
export type Laid =
  | { readonly kind: "entry"; readonly entry: PlacedEntry }
  | { readonly kind: "member"; readonly member: MemberLocation };

export interface Small {
  readonly path: string;
  readonly bytes: Buffer;
}

/** Bytes of the stored object, which is uncompressed: the tar. */
export function tarBytes(gigabytes: number, small: readonly Small[]): number {
  return bundleOf(small).length + fileCount(gigabytes) * (FILE_BYTES + HEADER_BYTES);
}

const fileCount = (gigabytes: number): number => Math.ceil((gigabytes * 1e9) / FILE_BYTES);

/** The first member holds the small files that every cluster has, each behind room for its header, as in a tar. */
export function bundleOf(small: readonly Small[]): Buffer {
  return Buffer.concat(
    small.flatMap(({ bytes }) => [Buffer.alloc(HEADER_BYTES), bytes, Buffer.alloc(paddingOf(bytes.length))]),
  );
}

const paddingOf = (length: number): number => (HEADER_BYTES - (length % HEADER_BYTES)) % HEADER_BYTES;

/**
 * The archive of a cluster of files of 1 GiB. A header, then a thousand chunks of zeros; those behind what is fetched have random
 * digests, so that the table is as large as a real one's.
 */
export function* layOut(
  { gigabytes, fetched }: SyntheticSize,
  small: readonly Small[],
  object: string,
): Generator<Laid> {
  const realBytes = fetched * 1e9 + MARGIN_BYTES;
  let [member, offset, smallOffset] = [0, 0, 0];
  for (const { path, bytes } of small) {
    smallOffset += HEADER_BYTES;
    yield { kind: "entry", entry: { ...attributesOf(path, bytes.length), member: 0, offset: smallOffset } };
    smallOffset += bytes.length + paddingOf(bytes.length);
  }
  const place = (length: number, sums: Sums): Laid => {
    const at = offset;
    offset += length;
    member += 1;
    return {
      kind: "member",
      member: { object, codec: "none", offset: at, storedLength: length, plainLength: length, ...sums },
    };
  };
  yield place(bundleOf(small).length, sumsOf(bundleOf(small)));
  const [header, zeros] = [sumsOf(Buffer.alloc(HEADER_BYTES)), sumsOf(Buffer.alloc(CHUNK_BYTES))];
  for (let file = 0; file < fileCount(gigabytes); file += 1) {
    yield {
      kind: "entry",
      entry: { ...attributesOf(`base/16384/${100_000 + file}`, FILE_BYTES), member: member + 1, offset: 0 },
    };
    yield place(HEADER_BYTES, header);
    for (let at = 0; at < FILE_BYTES; at += CHUNK_BYTES)
      yield place(CHUNK_BYTES, offset < realBytes ? zeros : randomSums());
  }
}

function attributesOf(path: string, size: number): Omit<PlacedEntry, "member" | "offset"> {
  return { path, type: "file", size, mode: 0o600, mtime: 1_736_000_000, uid: 0, gid: 0, link: "" };
}

type Sums = Pick<MemberLocation, "sha256" | "crc32c" | "storedDigest">;

function sumsOf(bytes: Buffer): Sums {
  const sha256 = createHash("sha256").update(bytes).digest();
  return { sha256, crc32c: crc32cOf(bytes), storedDigest: sha256.subarray(0, 8) };
}

function randomSums(): Sums {
  const sha256 = randomFillSync(Buffer.alloc(32));
  return { sha256, crc32c: sha256.readUInt32LE(0), storedDigest: sha256.subarray(8, 16) };
}
