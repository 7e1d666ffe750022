import { free, mapOrdered, MemoryBudget } from "@soar/task-pool";
import type { CodecPool } from "../codec-pool.ts";
import type { ExtractedRun, FileCreation, FileWrite, Place } from "../pool/tasks.ts";
import { damagedRange } from "../read/damaged.ts";
import { type FetchedRange, type FetchOptions, fetchRanges, isWholeMemory, memoryFor } from "../read/fetch-ranges.ts";
import type { OpenFiles } from "./open-files.ts";
import { isWholeFile, type PlannedMember, type PlannedRun } from "./plan-members.ts";
import type { PlannedEntry } from "./planned-entry.ts";

export interface ExtractMembersOptions extends FetchOptions {
  readonly pool: CodecPool;
  readonly place: (path: string) => Place;
  readonly overwrite: boolean;
  readonly sparse: boolean;
  readonly keepUnchanged: boolean;
}

/** What became of a range of members, or of one that was there: the bytes are in place. */
export interface ExtractedMember {
  readonly writtenBytes: number;
  readonly fetchedBytes: number;
  /** Of a member that was there: what it would have taken to fetch it. */
  readonly sparedBytes: number;
  /** Files that were created whole, and are not synced. */
  readonly wholeFiles: readonly PlannedEntry[];
}

/** Members in work per worker that are compared with what is there. */
const ITEMS_PER_WORKER = 4;
/** Ranges in work per worker: decompressing, writing, or waiting for their files to be opened or synced. */
const RANGES_PER_WORKER = 2;
/** Runs of bytes that a worker is told of at once. */
const TASK_RUNS = 256;
/** Members among which the order of reading may be changed: of an incremental, neighbours lie in different objects. */
const WINDOW = 256;

/**
 * Brings planned members into place, in parallel and in no particular order: they are fetched in large ranges,
 * checked by the workers before any of their bytes are written, and written by the workers. Yields what was done.
 */
export async function* extractMembers(
  planned: AsyncIterable<PlannedMember>,
  open: OpenFiles,
  options: ExtractMembersOptions,
): AsyncGenerator<ExtractedMember, void, undefined> {
  const { pool, signal } = options;
  const kept: ExtractedMember[] = [];
  const wanted = options.keepUnchanged ? leaveOutUnchanged(planned, open, options, kept) : planned;
  const extract = async (range: FetchedRange<PlannedMember>, stop: AbortSignal): Promise<ExtractedMember> =>
    await extractRange(range, open, options, stop);
  const fetched = fetchRanges(sortWindows(wanted), new MemoryBudget(memoryFor(options)), options);
  for await (const extracted of mapOrdered(fetched, extract, { maxItems: pool.workers * RANGES_PER_WORKER, signal })) {
    yield extracted;
    yield* kept.splice(0);
  }
  yield* kept;
}

/** In one task of a worker, or where it holds very many members, in several. */
async function extractRange(
  range: FetchedRange<PlannedMember>,
  open: OpenFiles,
  options: ExtractMembersOptions,
  signal: AbortSignal,
): Promise<ExtractedMember> {
  using _ = range.share;
  for (const members of tasksOf(range.members)) await extractTask({ ...range, members }, open, options, signal);
  if (isWholeMemory(range.bytes)) free(range.bytes);
  const runs = range.members.flatMap((member) => member.runs);
  return {
    writtenBytes: runs.reduce((sum, { length }) => sum + length, 0),
    fetchedBytes: range.members.reduce((sum, { location }) => sum + location.storedLength, 0),
    sparedBytes: 0,
    wholeFiles: runs.filter(isWholeFile).map(({ file }) => file),
  };
}

/** Members in the order given, cut where a worker would be told of too many. */
function* tasksOf(members: readonly PlannedMember[]): Generator<readonly PlannedMember[]> {
  let [from, runs] = [0, 0];
  for (const [at, member] of members.entries()) {
    if (at > from && runs + member.runs.length > TASK_RUNS) {
      yield members.slice(from, at);
      [from, runs] = [at, 0];
    }
    runs += member.runs.length;
  }
  yield from === 0 ? members : members.slice(from);
}

/** The memory of a whole range moves to the worker, instead of being copied member by member; of a part of it, a copy does. */
async function extractTask(
  { members, offset, bytes }: FetchedRange<PlannedMember>,
  open: OpenFiles,
  options: ExtractMembersOptions,
  signal: AbortSignal,
): Promise<void> {
  const from = Math.min(...members.map(({ location }) => location.offset)) - offset;
  const to = Math.max(...members.map(({ location }) => location.offset + location.storedLength)) - offset;
  const tasks = await Promise.all(members.map(async (member) => await toTask(member, offset + from, open, options)));
  const part = bytes.subarray(from, to);
  const damaged = await options.pool.extract(part, tasks, { transfer: isWholeMemory(part), signal });
  if (damaged !== undefined) throw damageOf(members[damaged.index], damaged.message);
  for (const { runs } of members) {
    for (const { file, length } of runs.filter((run) => !isWholeFile(run))) await open.complete(file, length);
  }
}

async function toTask(
  { location, runs }: PlannedMember,
  rangeOffset: number,
  open: OpenFiles,
  options: ExtractMembersOptions,
): Promise<ExtractedRun> {
  const { codec, offset, storedLength, storedDigest, plainLength } = location;
  const writes = await Promise.all(
    runs.filter((run) => !isWholeFile(run)).map(async (run) => await toWrite(run, open, options)),
  );
  const creations = runs.filter(isWholeFile).map((run) => toCreation(run, options));
  const storedOffset = offset - rangeOffset;
  return { codec, storedOffset, storedLength, storedDigest, plainLength, writes, creations };
}

function damageOf(member: PlannedMember | undefined, fact: string): Error {
  if (member === undefined) return new RangeError("a worker named a member that it was not given");
  const { object, offset, storedLength } = member.location;
  return damagedRange(object, offset, storedLength, fact);
}

function toCreation(
  { file, plainOffset, length }: PlannedRun,
  { place, overwrite }: ExtractMembersOptions,
): FileCreation {
  return { ...place(file.path), plainOffset, length, attributes: file.attributes, replace: overwrite };
}

async function toWrite(
  { file, plainOffset, length, filePosition }: PlannedRun,
  open: OpenFiles,
  { sparse }: ExtractMembersOptions,
): Promise<FileWrite> {
  const { handle, path, fresh } = await open.open(file);
  return { fd: handle.fd, path, plainOffset, length, filePosition, sparse: sparse && fresh };
}

/** Passes on the members whose bytes are not in place yet; what is, is completed and noted in `kept`. */
async function* leaveOutUnchanged(
  planned: AsyncIterable<PlannedMember>,
  open: OpenFiles,
  { pool, signal }: ExtractMembersOptions,
  kept: ExtractedMember[],
): AsyncGenerator<PlannedMember, void, undefined> {
  const check = async (member: PlannedMember, stop: AbortSignal): Promise<PlannedMember | undefined> => {
    const [run] = member.runs;
    // Only a member that is one chunk of one file can be compared with the disk by its digest.
    if (run === undefined || member.runs.length > 1 || run.length !== member.location.plainLength || isWholeFile(run))
      return member;
    const { handle, fresh } = await open.open(run.file);
    const place = { fd: handle.fd, position: run.filePosition, length: run.length };
    if (fresh || !(await pool.matches(place, member.location.sha256, { signal: stop }))) return member;
    await open.complete(run.file, run.length);
    kept.push({
      writtenBytes: run.length,
      fetchedBytes: 0,
      sparedBytes: member.location.storedLength,
      wholeFiles: [],
    });
    return undefined;
  };
  for await (const member of mapOrdered(planned, check, { maxItems: pool.workers * ITEMS_PER_WORKER, signal })) {
    if (member !== undefined) yield member;
  }
}

/** Sorts every `WINDOW` members by where they are stored, so that they can be read in few large ranges. */
async function* sortWindows(members: AsyncIterable<PlannedMember>): AsyncGenerator<PlannedMember, void, undefined> {
  let window: PlannedMember[] = [];
  for await (const member of members) {
    if (window.push(member) < WINDOW) continue;
    yield* window.sort(byPlace);
    window = [];
  }
  yield* window.sort(byPlace);
}

function byPlace({ location: a }: PlannedMember, { location: b }: PlannedMember): number {
  return a.object === b.object ? a.offset - b.offset : a.object < b.object ? -1 : 1;
}
