import { free, mapOrdered, type MemoryBudget, type MemoryShare } from "@soar/task-pool";
import type { MemberLocation } from "../table/row.ts";
import { damagedRange } from "./damaged.ts";

/**
 * Reads a range of an object, all of it, into memory that nobody else uses: a buffer that fills its memory is emptied when
 * its members are done with. `signal` aborts when nobody waits for the answer any more.
 */
export type FetchRange = (object: string, offset: number, length: number, signal: AbortSignal) => Promise<Buffer>;

export interface FetchOptions {
  readonly fetch: FetchRange;
  /** Members that lie side by side are read together up to this many stored bytes, by default 4 MiB, and up to 1,024 of them. */
  readonly rangeBytes?: number | undefined;
  /** Bytes between two wanted members that are read and thrown away, where another request would cost more; by default 256 KiB. */
  readonly gapBytes?: number | undefined;
  /** Ranges that are read at once; by default 4. */
  readonly parallel?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A member that is wanted, with whatever its reader needs to remember about it. */
export interface WantedMember {
  readonly location: MemberLocation;
  /** What its reader makes of it, where that takes memory for each. */
  readonly runs?: readonly unknown[] | undefined;
}

/** The stored bytes of a wanted member: a view on the range that it was read with. */
export interface FetchedMember<Wanted extends WantedMember> {
  readonly wanted: Wanted;
  readonly stored: Buffer;
  /** To be called once, when `stored` was used: after the last member of a range, its memory is given back. */
  readonly release: () => void;
}

interface Range<Wanted> {
  readonly object: string;
  readonly offset: number;
  readonly length: number;
  readonly members: readonly Wanted[];
  /** Memory that it takes until it is done with: its bytes, the largest of its members when that is open, and what describes them. */
  readonly weight: number;
}

/** Members that were read together. */
export interface FetchedRange<Wanted extends WantedMember> {
  readonly members: readonly Wanted[];
  /** Position of `bytes` in the object that all of them lie in. */
  readonly offset: number;
  readonly bytes: Buffer;
  /** To be disposed of when nothing of the range is in memory any more: further ones are read then. */
  readonly share: MemoryShare;
}

const DEFAULT_RANGE_BYTES = 4 * 1024 * 1024;
/** Of all ranges that are read or in work, however many threads and connections there are. */
const MOST_MEMORY_BYTES = 64 * 1024 * 1024;
/** A range of 4 MiB with the member of 1 MiB that is opened, and what describes them. */
const RANGE_MEMORY_BYTES = 5.5 * 1024 * 1024;
/** Beside those that are on their way, so that no connection waits for a thread. */
const RANGES_IN_WORK = 2;
/** One of zeros is stored in fifty bytes. A gibibyte of zeros in members of 1 MiB still is one request. */
const RANGE_MEMBERS = 1024;
/** What describes a member or a run while its range is in work, in several threads. */
const DESCRIPTION_BYTES = 1024;
const DEFAULT_PARALLEL = 4;
const DEFAULT_GAP_BYTES = 256 * 1024;

/** What all ranges that are read or in work may take together. */
export function memoryFor({ parallel = DEFAULT_PARALLEL }: Pick<FetchOptions, "parallel">): number {
  return Math.min(MOST_MEMORY_BYTES, (parallel + RANGES_IN_WORK) * RANGE_MEMORY_BYTES);
}

/**
 * Reads members in few large requests, several at once, and yields what was read in the order given; ranges that are read or in work
 * share the budget. Rejects with `ARCHIVE_DAMAGED` when a range is not as long as it has to be.
 */
export async function* fetchRanges<Wanted extends WantedMember>(
  wanted: AsyncIterable<Wanted> | Iterable<Wanted>,
  budget: MemoryBudget,
  options: FetchOptions,
): AsyncGenerator<FetchedRange<Wanted>, void, undefined> {
  const {
    fetch,
    rangeBytes = DEFAULT_RANGE_BYTES,
    gapBytes = DEFAULT_GAP_BYTES,
    parallel = DEFAULT_PARALLEL,
    signal,
  } = options;
  const read = async (
    { object, offset, length, members, weight }: Range<Wanted>,
    stop: AbortSignal,
  ): Promise<FetchedRange<Wanted>> => {
    const share = await budget.take(weight, stop);
    const bytes = await fetch(object, offset, length, stop);
    if (bytes.length !== length) throw damagedRange(object, offset, length, `there are only ${bytes.length} bytes`);
    return { members, offset, bytes, share };
  };
  yield* mapOrdered(coalesce(wanted, { rangeBytes, gapBytes }), read, { maxItems: parallel, signal });
}

/** `fetchRanges`, member by member. */
export async function* fetchMembers<Wanted extends WantedMember>(
  wanted: AsyncIterable<Wanted> | Iterable<Wanted>,
  budget: MemoryBudget,
  options: FetchOptions,
): AsyncGenerator<FetchedMember<Wanted>, void, undefined> {
  for await (const { members, offset, bytes, share } of fetchRanges(wanted, budget, options)) {
    let used = 0;
    const release = (): void => {
      used += 1;
      if (used < members.length) return;
      if (isWholeMemory(bytes)) free(bytes);
      share[Symbol.dispose]();
    };
    for (const member of members) {
      const at = member.location.offset - offset;
      yield { wanted: member, stored: bytes.subarray(at, at + member.location.storedLength), release };
    }
  }
}

/** Whether nothing but these bytes lies in their memory. */
export function isWholeMemory(bytes: Buffer): boolean {
  return bytes.byteLength === bytes.buffer.byteLength;
}

async function* coalesce<Wanted extends WantedMember>(
  wanted: AsyncIterable<Wanted> | Iterable<Wanted>,
  { rangeBytes, gapBytes }: { readonly rangeBytes: number; readonly gapBytes: number },
): AsyncGenerator<Range<Wanted>, void, undefined> {
  let open: OpenRange<Wanted> | undefined;
  for await (const member of wanted) {
    const { object, offset, storedLength } = member.location;
    const gap = open === undefined ? 0 : offset - (open.offset + open.length);
    const fits =
      open?.object === object &&
      gap >= 0 &&
      gap <= gapBytes &&
      open.members.length < RANGE_MEMBERS &&
      open.length + gap + storedLength <= rangeBytes;
    if (open !== undefined && !fits) yield weighed(open);
    if (open === undefined || !fits) open = { object, offset, length: 0, members: [], largest: 0, described: 0 };
    open.length = offset + storedLength - open.offset;
    open.members.push(member);
    open.largest = Math.max(open.largest, member.location.plainLength);
    open.described += 1 + (member.runs?.length ?? 0);
  }
  if (open !== undefined) yield weighed(open);
}

interface OpenRange<Wanted> {
  readonly object: string;
  readonly offset: number;
  length: number;
  readonly members: Wanted[];
  /** Plain bytes of the largest member, and how many members and runs have to be described. */
  largest: number;
  described: number;
}

function weighed<Wanted>({ largest, described, ...range }: OpenRange<Wanted>): Range<Wanted> {
  return { ...range, weight: range.length + largest + described * DESCRIPTION_BYTES };
}
