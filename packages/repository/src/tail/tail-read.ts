import { createHash, type Hash } from "node:crypto";
import { hasErrorCode } from "@soar/errors";
import { decompressMember } from "@soar/seekable-tar";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";
import { listTailPieces, type TailPiece } from "./tail-pieces.ts";
import { LARGEST_SEGMENT, LONGEST_DESCRIPTION, parseWalDescription } from "../wal/wal-description.ts";

/** What does not compress grows: stored bytes of a piece, over its plain ones. */
const GROWTH_LIMIT_BYTES = 1024 * 1024;

export interface ReadTailOptions extends CallOptions {
  /** Bytes of a segment: no piece leads further. PostgreSQL's largest unless given. */
  readonly segmentSize?: number | undefined;
}

/** The beginning of a segment, put together from pieces, proved by the digest that the last of them carries. */
export interface Tail {
  readonly segmentName: string;
  /** Bytes of the segment from 0 on. */
  readonly bytes: Buffer;
  /** Of these bytes. */
  readonly sha256: string;
  /** What it was put together from, in order. */
  readonly pieces: readonly TailPiece[];
}

/**
 * The longest digest-consistent chain of pieces from the start of a segment; undefined when there is none. A piece that
 * is damaged, or that belongs to another history of the volume, is passed over as if it were not there. Call it once for
 * a restore and keep the result: PostgreSQL asks for a segment twice, and the archiver may go on meanwhile.
 */
export async function readTail(
  store: ObjectStore,
  segmentName: string,
  { segmentSize = LARGEST_SEGMENT, ...options }: ReadTailOptions = {},
): Promise<Tail | undefined> {
  const byStart = new Map<number, TailPiece[]>();
  for (const piece of await listTailPieces(store, segmentName, options)) {
    if (!isPossible(piece, segmentSize)) continue;
    // Longest first: a consolidated piece saves the reading of those that it holds.
    byStart.set(piece.from, [piece, ...(byStart.get(piece.from) ?? [])]);
  }
  const best = await longestChain(
    store,
    byStart,
    { position: 0, hash: createHash("sha256"), parts: [], pieces: [] },
    { options, seen: new Set() },
  );
  if (best.pieces.length === 0) return undefined;
  return { segmentName, bytes: Buffer.concat(best.parts), sha256: best.hash.copy().digest("hex"), pieces: best.pieces };
}

/** Nobody has shipped it otherwise, and it would only fill the memory. */
function isPossible({ from, to, size }: TailPiece, segmentSize: number): boolean {
  return from < to && to <= segmentSize && size <= to - from + GROWTH_LIMIT_BYTES + LONGEST_DESCRIPTION;
}

/** A whole segment for PostgreSQL: zeros behind the tail, at which recovery ends cleanly. */
export function padTail({ bytes }: Pick<Tail, "bytes">, segmentSize: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(segmentSize - bytes.length)]);
}

interface Chain {
  readonly position: number;
  readonly hash: Hash;
  readonly parts: readonly Buffer[];
  readonly pieces: readonly TailPiece[];
}

interface Search {
  readonly options: CallOptions;
  /** Positions with digests that were reached already: another way to the same bytes cannot be longer. */
  readonly seen: Set<string>;
}

async function longestChain(
  store: ObjectStore,
  byStart: ReadonlyMap<number, readonly TailPiece[]>,
  chain: Chain,
  search: Search,
): Promise<Chain> {
  let best = chain;
  for (const piece of byStart.get(chain.position) ?? []) {
    const longer = await extend(store, chain, piece, search.options);
    const mark = longer && `${longer.position} ${longer.hash.copy().digest("hex")}`;
    if (longer === undefined || mark === undefined || search.seen.has(mark)) continue;
    search.seen.add(mark);
    const found = await longestChain(store, byStart, longer, search);
    if (found.position > best.position) best = found;
  }
  return best;
}

/** The chain with this piece at its end, or undefined when the piece does not fit. */
async function extend(
  store: ObjectStore,
  chain: Chain,
  piece: TailPiece,
  options: CallOptions,
): Promise<Chain | undefined> {
  try {
    const stored = await readObject(store, piece.key, options);
    const { description, length } = parseWalDescription(stored, "zstd", `${store.location}/${piece.key}`);
    const parts = await decode(stored.subarray(0, stored.length - length), description, piece);
    const hash = chain.hash.copy();
    for (const part of parts) hash.update(part);
    if (description.size !== piece.to || hash.copy().digest("hex") !== description.sha256) return undefined;
    return { position: piece.to, hash, parts: [...chain.parts, ...parts], pieces: [...chain.pieces, piece] };
  } catch (error) {
    // Damaged, or removed since the listing because the segment was archived: the reader takes what is left.
    if (hasErrorCode(error, "FORMAT_INVALID", "REPOSITORY_DAMAGED", "OBJECT_MISSING")) return undefined;
    throw error;
  }
}

async function decode(
  data: Buffer,
  { members, memberSize }: { readonly members: readonly number[]; readonly memberSize: number },
  piece: TailPiece,
): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  let [offset, remaining] = [0, piece.to - piece.from];
  for (const length of members) {
    const plainLength = Math.min(remaining, memberSize);
    parts.push(await decompressMember("zstd", data.subarray(offset, offset + length), plainLength));
    offset += length;
    remaining -= plainLength;
  }
  return parts;
}
