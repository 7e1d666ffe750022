import type { Lsn } from "../wal-names/lsn.ts";
import type { RelationFile } from "./block-references.ts";

/** Blocks of the smallest unit, 128 KiB of ordinary ones: neighbours change together, and chunks of backups are multiples of it. */
export const BLOCKS_PER_UNIT = 16;
/** Blocks of the largest unit: a larger one says nothing any more. */
export const LARGEST_UNIT = 1024;
/** Units that the changes of one segment name at most, of all relations. */
export const MOST_UNITS = 2 ** 20;
/** Units that are held at most while they are collected: where there are more, they are larger. */
export const MOST_COLLECTED = 2 ** 18;
/** Relations, and databases, that they name at most. */
export const MOST_RELATIONS = 2 ** 17;

/** What the records of one segment change, in units of blocks. What they do not tell is always read: see `ChangedBlocks`. */
export interface SegmentChanges {
  /** Blocks of one unit. Larger units for a segment that changes very many. */
  readonly blocksPerUnit: number;
  readonly relations: readonly RelationChanges[];
  /** Databases that were made, moved or dropped as a whole, by tablespace. */
  readonly databases: readonly DatabaseDirectory[];
  /** Why more may have changed than is told here. */
  readonly doubts: readonly ChangeDoubt[];
  /** Start of the record that the first one names as the one before it; undefined when no record begins here. */
  readonly firstPrevious: Lsn | undefined;
  /** Start of the last complete record that begins here. */
  readonly lastStart: Lsn | undefined;
  /** Start and first bytes of a record that goes on in the next segment. Its references may be there only in part. */
  readonly cutStart: Lsn | undefined;
  readonly cut: Uint8Array;
  /** The first bytes that such a record of the segment before has here. */
  readonly continued: Uint8Array;
}

export interface RelationChanges extends RelationFile {
  /** The file was made, or cut off, here: its blocks from this one on are new. */
  readonly newFrom: number | undefined;
  /** Numbers of changed units, ascending. */
  readonly units: readonly number[];
}

export interface DatabaseDirectory {
  readonly tablespace: number;
  readonly database: number;
}

/**
 * `minimal-wal`: the server wrote WAL that leaves out what it can make durable in another way. `custom-storage`: a resource
 * manager of an extension, which may keep files of its own. `unreadable`: records that could not be understood. `too-many`: changes
 * to more relations than are kept.
 */
export type ChangeDoubt = "minimal-wal" | "custom-storage" | "unreadable" | "too-many";
export const CHANGE_DOUBTS: readonly ChangeDoubt[] = ["minimal-wal", "custom-storage", "unreadable", "too-many"];
