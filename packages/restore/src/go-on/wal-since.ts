import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Owner } from "@soar/durable-files";
import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import { hasErrorCode } from "@soar/errors";
import { formatWalSegment, segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import { createRemovalScanner, type RemovalScanner, type Removals } from "@soar/pg-tools/changed-blocks";
import { findWalObjects, getWalFile } from "@soar/repository/wal";
import { readChainSegment } from "@soar/repository/chain";
import type { ObjectStore } from "@soar/storage";
import { answerWalRequest, type LineageTable } from "../wal/lineage-table.ts";
import { Removed, type FileGeometry } from "./removed.ts";
import { segmentsThere } from "./segments-there.ts";

/** A server whose files are looked at, and the WAL that it has replayed and written. */
export interface WalPlace {
  readonly store: ObjectStore;
  readonly dataDir: string;
  readonly owner?: Owner | undefined;
  readonly segmentSize: number;
  readonly geometry: FileGeometry;
  /** What it was given to replay; undefined where that is not known any more. */
  readonly table: LineageTable | undefined;
  /** Whether it replays still: then it has no timeline of its own. */
  readonly isRecovering: boolean;
  /** Where replay was to end, and a timeline of its own began. */
  readonly targetLsn: Lsn;
  /** Up to where there is WAL for sure: the last checkpoint. */
  readonly knownEndLsn: Lsn;
  /** Whether it archives into the repository: else what has the names of its segments there is another's. */
  readonly isArchived: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What the WAL of a server has removed from a position on, by its pg_wal, and where segments are gone from there, or are damaged, by the
 * repository. Undefined where that WAL is not all there to be read: then nobody can tell.
 */
export async function readRemoved(place: WalPlace, from: Lsn): Promise<Removed | undefined> {
  const here = await readBy("here", place, from);
  // What is damaged in pg_wal may be whole in the repository.
  return here.removed ?? (here.hasRead ? (await readBy("stored", place, from)).removed : undefined);
}

/** Where segments are looked for first. */
type First = "here" | "stored";

interface Attempt {
  readonly removed: Removed | undefined;
  /** Whether anything of pg_wal was read. */
  readonly hasRead: boolean;
}

async function readBy(first: First, place: WalPlace, from: Lsn): Promise<Attempt> {
  const { dataDir, segmentSize, targetLsn, isRecovering, table } = place;
  const there = await segmentsThere(dataDir, segmentSize);
  const present = new Set(there.map(({ name }) => name));
  const own = there.at(-1);
  if (own === undefined && !isRecovering) return { removed: undefined, hasRead: false };
  const target = segmentIndexOfLsn(targetLsn, segmentSize);
  const end = isRecovering ? target : (own?.index ?? 0);
  let scanner: RemovalScanner | undefined;
  let hasRead = false;
  for (let index = segmentIndexOfLsn(from, segmentSize); index <= end && scanner?.hasEnded !== true; index += 1) {
    place.signal?.throwIfAborted();
    // The first segment of a timeline begins with what lies in it before the switch.
    const isOwn = !isRecovering && index >= target;
    const name = isOwn
      ? formatWalSegment({ timeline: own?.timeline ?? 0, index }, segmentSize)
      : table?.segments[index - table.firstIndex]?.name;
    if (name === undefined) return { removed: undefined, hasRead };
    hasRead ||= present.has(name);
    scanner ??= createRemovalScanner({ name, from, until: isRecovering ? targetLsn : undefined });
    const isRead = await readSegment(place, { name, isOwn, isPresent: present.has(name), first }, scanner);
    if (!isRead) return { removed: undefined, hasRead };
  }
  const removals = scanner === undefined ? undefined : removalsUntil(scanner, place.knownEndLsn);
  return { removed: removals === undefined ? undefined : new Removed(removals, place.geometry), hasRead };
}

/** Undefined where WAL was read that ends before. */
function removalsUntil(scanner: RemovalScanner, knownEndLsn: Lsn): Removals | undefined {
  try {
    const removals = scanner.finish();
    return scanner.validEndLsn >= knownEndLsn ? removals : undefined;
  } catch (error) {
    // So little of it was there that not even its beginning tells.
    if (hasErrorCode(error, "WAL_INVALID")) return undefined;
    throw error;
  }
}

interface Segment {
  readonly name: string;
  readonly isOwn: boolean;
  readonly isPresent: boolean;
  readonly first: First;
}

/** Whether it was there to be read. */
async function readSegment(place: WalPlace, segment: Segment, scanner: RemovalScanner): Promise<boolean> {
  await using file = await openHere(place, segment);
  const here = async (): Promise<AsyncIterable<unknown> | undefined> => file?.createReadStream({ autoClose: false });
  const stored = (): Promise<AsyncIterable<unknown> | undefined> => findStored(place, segment);
  for (const open of segment.first === "here" ? [here, stored] : [stored, here]) {
    let isBegun = false;
    try {
      const bytes = await open();
      for await (const piece of bytes ?? []) {
        isBegun = true;
        scanner.push(piece as Buffer);
      }
      if (isBegun) return true;
    } catch (error) {
      if (!hasErrorCode(error, ...UNREADABLE) && !isFailedRead(error)) throw error;
      // What was read of it by then cannot be taken back.
      if (isBegun) return false;
    }
  }
  return false;
}

/** Missing, damaged, or on a disk that does not give it any more. */
const UNREADABLE = ["OBJECT_MISSING", "REPOSITORY_DAMAGED", "WAL_INVALID", "FILE_UNREADABLE"] as const;

/** Of a call of the system's, such as for a damaged sector. */
function isFailedRead(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

/** Undefined for a file that is shorter or longer than any that a server has: it was cut off, or a copy was not completed. */
async function openHere(
  { dataDir, owner, segmentSize }: WalPlace,
  { name, isPresent }: Segment,
): Promise<FileHandle | undefined> {
  if (!isPresent) return undefined;
  const directory = join(dataDir, "pg_wal");
  const file = await openOrdinaryIfPresent(join(directory, name), { within: { base: directory, owner } });
  if (file === undefined || (await file.stat()).size === segmentSize) return file;
  await file.close();
  return undefined;
}

async function findStored(
  { store, table, segmentSize, isArchived, signal }: WalPlace,
  { name, isOwn }: Segment,
): Promise<AsyncIterable<Buffer> | undefined> {
  if (isOwn) {
    const [object] = isArchived ? await findWalObjects(store, name, { signal }) : [];
    return object === undefined ? undefined : getWalFile(store, object, { signal });
  }
  const request = table === undefined ? undefined : answerWalRequest(table, name);
  return request?.answer === "deliver" ? readChainSegment(store, request.segment, segmentSize, { signal }) : undefined;
}

/** What is known of removals behind two positions. Each is read when it is first asked for. */
export interface RemovalEvidence {
  /** Since what the list of files tells of. */
  sinceListed(): Promise<Removed | undefined>;
  /** While the backup was taken: what it has of a database that was made meanwhile, replay makes anew. */
  duringBackup(): Promise<Removed | undefined>;
}
