import { join } from "node:path";
import { namesIfPresent, type Owner } from "@soar/durable-files";
import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import { hasErrorCode } from "@soar/errors";
import { formatWalSegment, parseWalSegment, segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import { createRemovalScanner, type RemovalScanner } from "@soar/pg-tools/changed-blocks";
import { findWalObjects, getWalFile } from "@soar/repository/wal";
import { readChainSegment } from "@soar/repository/chain";
import type { ObjectStore } from "@soar/storage";
import { answerWalRequest, type LineageTable } from "../wal/lineage-table.ts";
import { Removed, type FileGeometry } from "./removed.ts";

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
 * What the WAL of a server has removed from a position on, by its pg_wal, and where segments are gone from there by the repository.
 * Undefined where that WAL is not all there: then nobody can tell.
 */
export async function readRemoved(place: WalPlace, from: Lsn): Promise<Removed | undefined> {
  const { dataDir, segmentSize, targetLsn, isRecovering, table } = place;
  const present = new Set(((await namesIfPresent(join(dataDir, "pg_wal"))) ?? []).filter((name) => SEGMENT.test(name)));
  const newest = [...present].toSorted().at(-1);
  if (newest === undefined && !isRecovering) return undefined;
  const own = newest === undefined ? { timeline: 0, index: 0 } : parseWalSegment(newest, segmentSize);
  const target = segmentIndexOfLsn(targetLsn, segmentSize);
  const end = isRecovering ? target : own.index;
  let scanner: RemovalScanner | undefined;
  for (let index = segmentIndexOfLsn(from, segmentSize); index <= end && scanner?.hasEnded !== true; index += 1) {
    // The first segment of a timeline begins with what lies in it before the switch.
    const isOwn = !isRecovering && index >= target;
    const name = isOwn
      ? formatWalSegment({ timeline: own.timeline, index }, segmentSize)
      : table?.segments[index - table.firstIndex]?.name;
    if (name === undefined) return undefined;
    scanner ??= createRemovalScanner({ name, from, until: isRecovering ? targetLsn : undefined });
    if (!(await readSegment(place, { name, isOwn, isPresent: present.has(name) }, scanner))) return undefined;
  }
  if (scanner === undefined) return undefined;
  const removals = scanner.finish();
  return scanner.validEndLsn >= place.knownEndLsn ? new Removed(removals, place.geometry) : undefined;
}

const SEGMENT = /^[0-9A-F]{24}$/;

interface Segment {
  readonly name: string;
  readonly isOwn: boolean;
  readonly isPresent: boolean;
}

/** Whether it was there to be read. */
async function readSegment(place: WalPlace, segment: Segment, scanner: RemovalScanner): Promise<boolean> {
  const directory = join(place.dataDir, "pg_wal");
  await using file = segment.isPresent
    ? await openOrdinaryIfPresent(join(directory, segment.name), { within: { base: directory, owner: place.owner } })
    : undefined;
  const bytes = file?.createReadStream({ autoClose: false }) ?? (await findStored(place, segment));
  if (bytes === undefined) return false;
  try {
    for await (const piece of bytes) scanner.push(piece as Buffer);
    return true;
  } catch (error) {
    if (hasErrorCode(error, "OBJECT_MISSING")) return false;
    throw error;
  }
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
