import { hasErrorCode, SoarError } from "@soar/errors";
import { compressMember } from "@soar/seekable-tar";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readWalDescription } from "../wal/get-wal.ts";
import { WAL_LEVELS } from "../wal/encode-wal.ts";
import { TAIL_PREFIX, tailPieceKey, tailPrefix } from "../records/keys.ts";
import { formatWalDescription } from "../wal/wal-description.ts";

/** Plain bytes per compressed frame of a piece. */
const TAIL_MEMBER_SIZE = 32 * 1024 * 1024;

/** Some bytes of a segment that is not archived yet, as they lie in the bucket. */
export interface TailPiece {
  readonly segmentName: string;
  readonly key: string;
  /** Bytes `from` (inclusive) to `to` (exclusive) of the segment. */
  readonly from: number;
  readonly to: number;
  /** Stored bytes. */
  readonly size: number;
}

export interface NewTailPiece {
  readonly segmentName: string;
  readonly from: number;
  readonly bytes: Buffer;
  /** SHA-256 of *all* bytes of the segment from 0 to the piece's end, lower-case hexadecimal. */
  readonly sha256: string;
  readonly systemIdentifier: string;
}

/** What became of a tail that was to be removed. */
export type TailRemoval = "removed" | "nothing" | "denied" | "locked";

export interface PutTailOptions extends CallOptions {
  readonly level?: number | undefined;
}

/** The piece under a key, or undefined for a key that is no tail piece. */
export function parseTailPieceKey(key: string, size: number): TailPiece | undefined {
  const [, segmentName, from, to] = /^tail\/([0-9A-F]{24})\/([0-9A-F]{8})-([0-9A-F]{8})\.zst$/.exec(key) ?? [];
  if (segmentName === undefined || from === undefined || to === undefined) return undefined;
  return { segmentName, key, from: Number.parseInt(from, 16), to: Number.parseInt(to, 16), size };
}

/**
 * Stores a piece. The same piece again is success. Rejects with `WAL_CONFLICT`, and overwrites nothing, when the bucket
 * holds other bytes for this range: the volume was rolled back, or another cluster ships here.
 */
export async function putTailPiece(
  store: ObjectStore,
  piece: NewTailPiece,
  options: PutTailOptions = {},
): Promise<TailPiece> {
  const { segmentName, from, bytes, sha256, systemIdentifier } = piece;
  const to = from + bytes.length;
  const key = tailPieceKey(segmentName, from, to);
  const frames: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; offset += TAIL_MEMBER_SIZE) {
    frames.push(
      await compressMember("zstd", bytes.subarray(offset, offset + TAIL_MEMBER_SIZE), {
        level: options.level ?? WAL_LEVELS.zstd,
      }),
    );
  }
  const members = frames.map(({ length }) => length);
  const description = formatWalDescription(
    { v: 1, name: segmentName, size: to, sha256, members, memberSize: TAIL_MEMBER_SIZE, sysid: systemIdentifier },
    "zstd",
  );
  try {
    const { size } = await store.put(key, Buffer.concat([...frames, description]), {
      ifAbsent: true,
      signal: options.signal,
    });
    return { segmentName, key, from, to, size };
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    return requireSamePiece(store, piece, { key, options });
  }
}

/** All pieces of a segment, by start and then by end. */
export async function listTailPieces(
  store: ObjectStore,
  segmentName: string,
  options: CallOptions = {},
): Promise<TailPiece[]> {
  const pieces: TailPiece[] = [];
  for await (const { key, size } of store.list(tailPrefix(segmentName), options)) {
    const piece = parseTailPieceKey(key, size);
    if (piece === undefined) throw strange(store, key);
    pieces.push(piece);
  }
  return pieces;
}

export interface ListTailOptions extends CallOptions {
  /** Only segments after this one: where nobody may remove tails there are as many as segments were archived. */
  readonly after?: string | undefined;
  /** All unless given. */
  readonly atMost?: number | undefined;
}

/** Names of the segments that have pieces, ascending; one short listing for each. */
export async function listTailSegments(
  store: ObjectStore,
  { after, atMost = Infinity, signal }: ListTailOptions = {},
): Promise<string[]> {
  const names: string[] = [];
  for (let last = after; names.length < atMost;) {
    // Sorts behind every piece of this segment.
    const startAfter = last === undefined ? undefined : `${tailPrefix(last)}~`;
    const piece = await firstPieceAfter(store, startAfter, { signal });
    if (piece === undefined) break;
    last = piece.segmentName;
    names.push(last);
  }
  return names;
}

/** The SHA-256 that a piece carries: that of all bytes of its segment up to its end. */
export async function readTailDigest(store: ObjectStore, piece: TailPiece, options: CallOptions = {}): Promise<string> {
  const { description } = await readWalDescription(
    store,
    { name: piece.segmentName, key: piece.key, codec: "zstd", size: piece.size },
    options,
  );
  return description.sha256;
}

/**
 * Removes the pieces of a segment that is in `wal/` now. Where this key may not delete, or the pieces are protected, a lifecycle
 * rule removes them some day.
 */
export async function removeTail(
  store: ObjectStore,
  segmentName: string,
  options: CallOptions = {},
): Promise<TailRemoval> {
  const pieces = await listTailPieces(store, segmentName, options);
  if (pieces.length === 0) return "nothing";
  try {
    await store.remove(
      pieces.map(({ key }) => key),
      options,
    );
    return "removed";
  } catch (error) {
    if (hasErrorCode(error, "STORE_DENIED")) return "denied";
    if (hasErrorCode(error, "OBJECT_LOCKED")) return "locked";
    throw error;
  }
}

async function firstPieceAfter(
  store: ObjectStore,
  startAfter: string | undefined,
  options: CallOptions,
): Promise<TailPiece | undefined> {
  for await (const { key, size } of store.list(TAIL_PREFIX, { startAfter, signal: options.signal })) {
    const piece = parseTailPieceKey(key, size);
    if (piece === undefined) throw strange(store, key);
    return piece;
  }
  return undefined;
}

async function requireSamePiece(
  store: ObjectStore,
  piece: NewTailPiece,
  { key, options }: { key: string; options: CallOptions },
): Promise<TailPiece> {
  const there = (await listTailPieces(store, piece.segmentName, options)).find((one) => one.key === key);
  if (there !== undefined && (await readTailDigest(store, there, options)) === piece.sha256) return there;
  throw new SoarError(
    "WAL_CONFLICT",
    `unable to ship the tail of '${piece.segmentName}': '${store.location}/${key}' holds other bytes`,
    {
      hint: "This server's volume was rolled back to an older state, or another cluster ships to this prefix. Nothing was overwritten. Begin a new archive epoch: set BACKUP_BUCKET to a new prefix, restart the archiver, run soar-base-backup at once, and keep the old prefix for restores to before (runbook: The volume was rolled back).",
    },
  );
}

function strange(store: ObjectStore, key: string): SoarError {
  return new SoarError(
    "REPOSITORY_DAMAGED",
    `'${store.location}/${key}' is no piece of a tail that this version can read`,
    {
      hint: "Move objects that soar did not write out of tail/; for encrypted ones use a version that knows encryption.",
    },
  );
}
