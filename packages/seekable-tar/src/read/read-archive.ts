import { mapOrdered, MemoryBudget } from "@soar/task-pool";
import type { CodecPool } from "../codec-pool.ts";
import type { MemberCursor } from "../table/member-source.ts";
import type { MemberLocation, PlacedEntry } from "../table/row.ts";
import type { ArchiveOutline } from "../table/seek-table.ts";
import { describeDamage } from "./damaged.ts";
import { type FetchedMember, fetchMembers, type FetchOptions, memoryFor } from "./fetch-ranges.ts";

export interface ReadOptions extends FetchOptions {
  readonly pool: CodecPool;
}

export interface ReadEntryOptions extends ReadOptions {
  /** First byte of the content to read; by default 0. */
  readonly offset?: number | undefined;
  /** Bytes to read; by default all that follow. */
  readonly length?: number | undefined;
}

/** Members that are decompressed at once, per worker. */
const ITEMS_PER_WORKER = 3;

/**
 * The whole tar stream in order, member by member, each checked against its digest before it is given out. Rejects with
 * `ARCHIVE_DAMAGED`, naming object and bytes, and with what `fetch` rejects with.
 */
export async function* readArchive(
  { members }: ArchiveOutline,
  options: ReadOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const cursor = members.openCursor(options.signal);
  const parts = (async function* all(): AsyncGenerator<WantedPart> {
    for (let index = 0; index < members.length; index++) {
      const location = await cursor.at(index);
      yield { location, from: 0, to: location.plainLength };
    }
  })();
  yield* readParts(parts, options);
}

/**
 * The content of one entry, or a range of it; only the members that hold it are fetched. Throws a `RangeError` when the
 * range is not inside of the content; rejects otherwise as `readArchive` does.
 */
export async function* readEntry(
  archive: ArchiveOutline,
  entry: PlacedEntry,
  options: ReadEntryOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const { offset = 0, length = entry.size - offset } = options;
  if (!(offset >= 0 && length >= 0 && offset + length <= entry.size))
    throw new RangeError(
      `bytes ${offset} to ${offset + length} are not inside of '${entry.path}' with ${entry.size} bytes`,
    );
  const cursor = archive.members.openCursor(options.signal);
  yield* readParts(partsOf(cursor, entry.member, { skip: entry.offset + offset, length }), options);
}

/** The entry with this path; the last one where an archive has several, as `tar` does. */
export function findEntry({ entries }: ArchiveOutline, path: string): PlacedEntry | undefined {
  return entries.findLast((entry) => entry.path === path);
}

interface WantedPart {
  readonly location: MemberLocation;
  readonly from: number;
  readonly to: number;
}

/** The parts of members that hold `length` bytes from byte `skip` on, counted from the start of member `first`. */
async function* partsOf(
  members: MemberCursor,
  first: number,
  { skip, length }: { readonly skip: number; readonly length: number },
): AsyncGenerator<WantedPart> {
  let start = 0;
  for (let index = first; start < skip + length; index++) {
    const location = await members.at(index);
    const end = start + location.plainLength;
    if (end > skip && length > 0)
      yield { location, from: Math.max(0, skip - start), to: Math.min(end, skip + length) - start };
    start = end;
  }
}

async function* readParts(
  parts: AsyncIterable<WantedPart>,
  options: ReadOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const { pool, signal } = options;
  const open = async (
    { wanted: { location, from, to }, stored, release }: FetchedMember<WantedPart>,
    stop: AbortSignal,
  ): Promise<Buffer> => {
    try {
      const plain = await pool.decompress(stored, { ...location, signal: stop });
      release();
      return plain.subarray(from, to);
    } catch (error) {
      throw describeDamage(error, location);
    }
  };
  const maxWeight = memoryFor(options);
  yield* mapOrdered(fetchMembers(parts, new MemoryBudget(maxWeight), options), open, {
    maxItems: pool.workers * ITEMS_PER_WORKER,
    maxWeight,
    weigh: ({ wanted }) => wanted.location.plainLength,
    signal,
  });
}
