import type { Lsn } from "../wal-names/lsn.ts";
import { formatLsn } from "../wal-names/lsn.ts";
import type { RelationFile } from "./block-references.ts";
import { ChangeCollector } from "./collect-changes.ts";
import { BLOCKS_PER_UNIT, type RelationChanges, type SegmentChanges } from "./segment-changes.ts";

/** What is kept in mind of all relations together, in bytes: enough for the bits of 128 TiB, or for a quarter of a million relations. */
const MOST_BYTES = 128 * 2 ** 20;
/** Of a relation beside its bits: names, objects, and the least number of bits. */
const RELATION_BYTES = 512;
/** Block numbers have 32 bits. */
const MOST_BITS = 2 ** 32 / BLOCKS_PER_UNIT;

/**
 * The blocks that change over an unbroken stretch of WAL, from the changes of its segments, which are added in the order of
 * their lineage. Only the main forks of relations are answered for: the visibility map changes without being named in WAL,
 * the free space map without WAL.
 */
export class ChangedBlocks {
  readonly #relations = new Map<string, ChangedRelation>();
  readonly #databases = new Set<string>();
  #doubt: string | undefined;
  #heldBytes = 0;
  /** Of the segments so far. */
  #before: Pick<SegmentChanges, "lastStart" | "cutStart" | "cut"> | undefined;

  /**
   * Why nothing can be said; undefined as long as everything that was added joins. The stretch ends within the last segment: a
   * record that goes on behind it is no part of it.
   */
  get doubt(): string | undefined {
    return this.#doubt;
  }

  /** About the bytes that are held of what was added. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Adds the changes of the next segment, which is called `name` in what `doubt` says. */
  add(changes: SegmentChanges, name: string): void {
    const [doubt] = changes.doubts;
    this.#doubt ??= doubt === undefined ? this.#join(changes, name) : `${name} has ${DOUBTS[doubt]}`;
    this.#take(changes);
    // A segment in the middle of one record has neither begin nor end of any.
    const { firstPrevious, lastStart, cutStart, cut } = changes;
    if (this.#before === undefined || firstPrevious !== undefined || cutStart !== undefined)
      this.#before = { lastStart, cutStart, cut };
    else this.#before = { ...this.#before, cut: Buffer.alloc(0) };
  }

  /** Whether any block from `first` on, before `end`, may have changed. Always so with a doubt. */
  mayHaveChanged({ tablespace, database, fileNumber }: RelationFile, first: number, end: number): boolean {
    if (this.doubt !== undefined || this.#databases.has(`${tablespace}/${database}`)) return true;
    return this.#relations.get(keyOf({ tablespace, database, fileNumber }))?.mayHaveChanged(first, end) ?? false;
  }

  /** Every record names the one before it: so no record is missing between two segments. */
  #join(changes: SegmentChanges, name: string): string | undefined {
    const before = this.#before;
    if (before === undefined) return undefined;
    if (before.cut.length > 0) {
      const joined = new ChangeCollector();
      // A crash may have cut the record off for ever: then nothing continues it, and it changes nothing.
      if (changes.continued.length > 0 && !joined.addBeginning(Buffer.concat([before.cut, changes.continued])))
        return `the record that leads into ${name} could not be understood`;
      const { doubts, ...rest } = joined.collected();
      const [doubt] = doubts;
      if (doubt !== undefined) return `the record that leads into ${name} has ${DOUBTS[doubt]}`;
      this.#take(rest);
    }
    const { firstPrevious } = changes;
    if (firstPrevious === undefined) return undefined;
    const expected: Lsn | undefined = changes.continued.length > 0 ? before.cutStart : before.lastStart;
    return firstPrevious === expected
      ? undefined
      : `the first record of ${name} follows on the one at ${formatLsn(firstPrevious)}, which is not the last of the segment before`;
  }

  #take({
    relations,
    databases,
    blocksPerUnit,
  }: Pick<SegmentChanges, "relations" | "databases" | "blocksPerUnit">): void {
    if (this.#doubt !== undefined) return;
    for (const { tablespace, database } of databases) {
      const key = `${tablespace}/${database}`;
      if (this.#databases.has(key)) continue;
      this.#databases.add(key);
      this.#hold(RELATION_BYTES);
    }
    for (const changes of relations) {
      if (this.#doubt !== undefined) return;
      const key = keyOf(changes);
      let relation = this.#relations.get(key);
      if (relation === undefined) {
        this.#relations.set(key, (relation = new ChangedRelation()));
        this.#hold(RELATION_BYTES);
      }
      relation.add(changes, blocksPerUnit, (bytes) => this.#hold(bytes));
    }
  }

  /** With a doubt nothing that is held counts. */
  #hold(bytes: number): void {
    if (this.#doubt !== undefined) return;
    this.#heldBytes += bytes;
    if (this.#heldBytes <= MOST_BYTES) return;
    this.#doubt = "more relations change than can be kept in mind";
    this.#relations.clear();
    this.#databases.clear();
    this.#heldBytes = 0;
  }
}

const DOUBTS = {
  "minimal-wal": "WAL of wal_level = minimal, which leaves out changes",
  "custom-storage": "records of an extension that may keep files of its own",
  unreadable: "records that could not be understood",
  "too-many": "changes to more relations than are kept",
} as const;

function keyOf({ tablespace, database, fileNumber }: RelationFile): string {
  return `${tablespace}/${database}/${fileNumber}`;
}

/** A bit for every 16 blocks: 1 MiB for a tebibyte of one relation. */
class ChangedRelation {
  #bits = new Uint8Array(64);
  #newFrom = Infinity;

  /** Tells `hold` of the bytes by which it grows. */
  add({ newFrom, units }: RelationChanges, blocksPerUnit: number, hold: (bytes: number) => void): void {
    if (newFrom !== undefined) this.#newFrom = Math.min(this.#newFrom, newFrom);
    for (const unit of units) {
      const first = Math.floor((unit * blocksPerUnit) / BLOCKS_PER_UNIT);
      const end = Math.min(Math.ceil(((unit + 1) * blocksPerUnit) / BLOCKS_PER_UNIT), MOST_BITS);
      this.#reserve(end, hold);
      for (let bit = first; bit < end; bit++)
        this.#bits[bit >>> 3] = (this.#bits[bit >>> 3] as number) | (1 << (bit & 7));
    }
  }

  mayHaveChanged(first: number, end: number): boolean {
    if (end > this.#newFrom) return true;
    const last = Math.min(Math.ceil(end / BLOCKS_PER_UNIT), this.#bits.length * 8);
    for (let bit = Math.floor(first / BLOCKS_PER_UNIT); bit < last; bit++)
      if (((this.#bits[bit >>> 3] as number) & (1 << (bit & 7))) !== 0) return true;
    return false;
  }

  #reserve(bits: number, hold: (bytes: number) => void): void {
    if (bits <= this.#bits.length * 8) return;
    const larger = new Uint8Array(Math.max(this.#bits.length * 2, Math.ceil(bits / 8)));
    hold(larger.length - this.#bits.length);
    larger.set(this.#bits);
    this.#bits = larger;
  }
}
