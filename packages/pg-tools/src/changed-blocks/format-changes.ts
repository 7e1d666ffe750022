import type { Lsn } from "../wal-names/lsn.ts";
import { CHANGE_DOUBTS, type RelationChanges, type SegmentChanges } from "./segment-changes.ts";

export const CHANGES_VERSION = 1;

/** Bits that say which of the positions follow. */
export const HAS_FIRST_PREVIOUS = 1;
export const HAS_LAST_START = 2;
export const HAS_CUT_START = 4;

/**
 * The bytes of a segment's changes. All numbers are LEB128 unless said otherwise, and lists begin with their length:
 *
 *   version | blocks of a unit | doubts, a bit each | positions, a bit each
 *   first previous, last start, cut start: those of them that are there, 8 bytes little endian each
 *   cut, continued: bytes
 *   databases: tablespace, database
 *   relations, ascending: tablespace, database, file number, each as it is
 *     new from + 1, or 0 | units: the first, then the distance to each next one
 */
export function formatChanges(changes: SegmentChanges): Buffer {
  const out = new ByteWriter();
  const { firstPrevious, lastStart, cutStart } = changes;
  out.number(CHANGES_VERSION);
  out.number(changes.blocksPerUnit);
  out.number(changes.doubts.reduce((bits, doubt) => bits | (1 << CHANGE_DOUBTS.indexOf(doubt)), 0));
  out.number(
    (firstPrevious === undefined ? 0 : HAS_FIRST_PREVIOUS) |
      (lastStart === undefined ? 0 : HAS_LAST_START) |
      (cutStart === undefined ? 0 : HAS_CUT_START),
  );
  for (const lsn of [firstPrevious, lastStart, cutStart]) if (lsn !== undefined) out.lsn(lsn);
  out.bytes(changes.cut);
  out.bytes(changes.continued);
  out.number(changes.databases.length);
  for (const { tablespace, database } of changes.databases) {
    out.number(tablespace);
    out.number(database);
  }
  out.number(changes.relations.length);
  for (const relation of changes.relations) {
    out.number(relation.tablespace);
    out.number(relation.database);
    out.number(relation.fileNumber);
    out.number(relation.newFrom === undefined ? 0 : relation.newFrom + 1);
    out.number(relation.units.length);
    let before = 0;
    for (const unit of relation.units) {
      out.number(unit - before);
      before = unit;
    }
  }
  return out.take();
}

/** The same in units twice as large: for a segment whose changes take too much room. */
export function coarsenChanges(changes: SegmentChanges): SegmentChanges {
  return {
    ...changes,
    blocksPerUnit: changes.blocksPerUnit * 2,
    relations: changes.relations.map((relation): RelationChanges => {
      const units: number[] = [];
      for (const unit of relation.units) {
        const larger = Math.floor(unit / 2);
        if (larger !== units.at(-1)) units.push(larger);
      }
      return { ...relation, units };
    }),
  };
}

class ByteWriter {
  #memory = Buffer.allocUnsafe(4096);
  #size = 0;

  number(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#memory[this.#size++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#memory[this.#size++] = rest;
  }

  lsn(lsn: Lsn): void {
    this.#reserve(8);
    this.#memory.writeBigUInt64LE(lsn, this.#size);
    this.#size += 8;
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.#reserve(bytes.length);
    this.#memory.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  take(): Buffer {
    return this.#memory.subarray(0, this.#size);
  }

  #reserve(bytes: number): void {
    if (this.#size + bytes <= this.#memory.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#memory.length * 2, this.#size + bytes));
    this.#memory.copy(larger, 0, 0, this.#size);
    this.#memory = larger;
  }
}
