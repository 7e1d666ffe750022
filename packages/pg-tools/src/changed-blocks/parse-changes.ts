import { SoarError } from "@soar/errors";
import type { Lsn } from "../wal-names/lsn.ts";
import { CHANGES_VERSION, HAS_CUT_START, HAS_FIRST_PREVIOUS, HAS_LAST_START } from "./format-changes.ts";
import {
  CHANGE_DOUBTS,
  type DatabaseDirectory,
  LARGEST_UNIT,
  MOST_RELATIONS,
  MOST_UNITS,
  type RelationChanges,
  type SegmentChanges,
} from "./segment-changes.ts";

/** OIDs, file numbers and block numbers have 32 bits. */
const LARGEST = 0xffff_ffff;

/** Reads what `formatChanges` wrote, with no more in it than a collector keeps. Throws `FORMAT_INVALID` for anything else, `REPOSITORY_VERSION` for a later version. */
export function parseChanges(bytes: Buffer): SegmentChanges {
  const from = new ByteReader(bytes);
  const version = from.number();
  if (version !== CHANGES_VERSION)
    throw new SoarError(
      "REPOSITORY_VERSION",
      `unable to read the changed blocks of a segment: they have version ${version}`,
      {
        hint: "Use a version at least as new as the one that wrote them.",
      },
    );
  const blocksPerUnit = from.number();
  const doubtBits = from.number();
  const has = from.number();
  if (blocksPerUnit === 0 || blocksPerUnit > LARGEST_UNIT || doubtBits >= 1 << CHANGE_DOUBTS.length || has > 7)
    throw invalid("its head is wrong");
  const lsn = (bit: number): Lsn | undefined => ((has & bit) === 0 ? undefined : from.lsn());
  const [firstPrevious, lastStart, cutStart] = [lsn(HAS_FIRST_PREVIOUS), lsn(HAS_LAST_START), lsn(HAS_CUT_START)];
  const changes = {
    blocksPerUnit,
    doubts: CHANGE_DOUBTS.filter((_, bit) => (doubtBits & (1 << bit)) !== 0),
    firstPrevious,
    lastStart,
    cutStart,
    cut: from.bytes(),
    continued: from.bytes(),
    databases: from.list(MOST_RELATIONS, (): DatabaseDirectory => ({
      tablespace: from.number(),
      database: from.number(),
    })),
    relations: parseRelations(from),
  };
  from.end();
  return changes;
}

function parseRelations(from: ByteReader): RelationChanges[] {
  let room = MOST_UNITS;
  return from.list(MOST_RELATIONS, () => {
    const relation = parseRelation(from, room);
    room -= relation.units.length;
    return relation;
  });
}

function parseRelation(from: ByteReader, mostUnits: number): RelationChanges {
  const file = { tablespace: from.number(), database: from.number(), fileNumber: from.number() };
  const newFrom = from.number(LARGEST + 1);
  let unit = 0;
  let isFirst = true;
  const units = from.list(mostUnits, () => {
    const distance = from.number();
    if (distance === 0 && !isFirst) throw invalid("its units do not ascend");
    isFirst = false;
    return (unit += distance);
  });
  return { ...file, newFrom: newFrom === 0 ? undefined : newFrom - 1, units };
}

class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(most = LARGEST): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw invalid("it ends too early");
      value += (byte & 0x7f) * factor;
      if (value > most || factor > 0x80 ** 4) throw invalid("a number is too large");
      if (byte < 0x80) {
        if (byte === 0 && factor > 1) throw invalid("a number is longer than it must be");
        return value;
      }
    }
  }

  lsn(): Lsn {
    return this.#take(8).readBigUInt64LE();
  }

  bytes(): Buffer {
    return this.#take(this.number());
  }

  /** Every item takes at least one byte, so that a length which lies takes no memory. */
  list<Item>(most: number, item: () => Item): Item[] {
    const length = this.number();
    if (length > most) throw invalid(`a list has ${length} items`);
    if (length > this.#bytes.length - this.#at) throw invalid("a list is longer than the rest");
    return Array.from({ length }, item);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw invalid(`${this.#bytes.length - this.#at} bytes follow its end`);
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw invalid("it ends too early");
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }
}

function invalid(fact: string): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to read the changed blocks of a segment: ${fact}`, {
    hint: "An incremental backup without them reads every file.",
  });
}
