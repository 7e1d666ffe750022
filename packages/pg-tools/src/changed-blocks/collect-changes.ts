import type { Lsn } from "../wal-names/lsn.ts";
import type { RawRecord } from "../wal-records/raw-record.ts";
import type { RecordReader } from "../wal-records/record-reader.ts";
import { RECORD_HEADER_SIZE, RECORD_INFO_OFFSET, RECORD_RMID_OFFSET } from "../wal-records/record-header.ts";
import {
  INFO_TYPE_MASK,
  RM_DBASE,
  RM_SMGR,
  RM_XACT,
  RM_XLOG,
  SMGR_CREATE,
  SMGR_TRUNCATE,
  XLOG_PARAMETER_CHANGE,
} from "../wal-records/record-types.ts";
import type { RecordObserver } from "../wal-records/wal-segment-summary.ts";
import { readReferences, type ReferenceSink, type RelationFile } from "./block-references.ts";
import { makeDistinct } from "./make-distinct.ts";
import {
  BLOCKS_PER_UNIT,
  type ChangeDoubt,
  type DatabaseDirectory,
  LARGEST_UNIT,
  MOST_COLLECTED,
  MOST_RELATIONS,
  type RelationChanges,
  type SegmentChanges,
} from "./segment-changes.ts";

const FIRST_CUSTOM = 128;
/** `XLR_SPECIAL_REL_UPDATE`, and who sets it: for files that are made, cut off and dropped. What is dropped comes back as something made. */
const SPECIAL_UPDATE = 0x01;
const SPECIAL_MANAGERS: ReadonlySet<number> = new Set([RM_XACT, RM_SMGR, RM_DBASE]);

/** Of a truncation: it cuts the main fork. The others are always read, so their limits, which are not the heap's, do not matter. */
const TRUNCATES_HEAP = 0x01;
const MAIN_FORK = 0;

const WAL_LEVEL_OFFSET = 20;
const MINIMAL = 0;

interface Relation extends RelationFile {
  newFrom: number | undefined;
  /** In the order in which they came, some of them more than once. */
  readonly units: number[];
  last: number;
}

type RecordBody = Pick<RawRecord, "rmid" | "info" | "body" | "bodyFrom" | "bodyTo" | "bodyLength">;

/**
 * Collects what the records of a segment change, without making an object of any of them, and in bounded memory: a segment of
 * 1 GiB may refer to blocks ten million times.
 */
export class ChangeCollector implements RecordObserver, ReferenceSink {
  /** By file number, which is rarely used twice in a cluster. */
  readonly #relations = new Map<number, Relation[]>();
  readonly #databases = new Map<string, DatabaseDirectory>();
  readonly #doubts = new Set<ChangeDoubt>();
  #latest: Relation | undefined;
  #blocksPerUnit = BLOCKS_PER_UNIT;
  #heldUnits = 0;
  #heldRelations = 0;
  #changes: SegmentChanges | undefined;
  readonly #until: Lsn | undefined;

  /** `until` is how far the segment is read by whoever asks: what it lacks behind that is no doubt. */
  constructor({ until }: { readonly until?: Lsn | undefined } = {}) {
    this.#until = until;
  }

  /** Takes one record. */
  add(record: RecordBody): void {
    if (!this.#take(record)) this.#doubts.add("unreadable");
  }

  /** Takes a record of which only the first bytes are known; returns whether they say all that it changes. */
  addBeginning(bytes: Buffer): boolean {
    if (bytes.length < RECORD_HEADER_SIZE) return false;
    const body = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return this.#take({
      rmid: bytes.readUInt8(RECORD_RMID_OFFSET),
      info: bytes.readUInt8(RECORD_INFO_OFFSET),
      body,
      bodyFrom: RECORD_HEADER_SIZE,
      bodyTo: bytes.length,
      bodyLength: bytes.readUInt32LE(0) - RECORD_HEADER_SIZE,
    });
  }

  #take({ rmid, info, body, bodyFrom: from, bodyTo: to, bodyLength: length }: RecordBody): boolean {
    if (rmid >= FIRST_CUSTOM) this.#doubts.add("custom-storage");
    // A change to files beside blocks, of a kind that nobody here knows: pg_rewind ends at one, too.
    if ((info & SPECIAL_UPDATE) !== 0 && !SPECIAL_MANAGERS.has(rmid)) this.#doubts.add("unreadable");
    const layout = readReferences(body, { from, to, length }, this);
    if (layout === undefined) return false;
    // The main data of these stands right behind the headers, because they refer to no block.
    if (layout.blocks > 0 || (rmid !== RM_SMGR && rmid !== RM_DBASE && rmid !== RM_XLOG)) return true;
    const main = new DataView(
      body.buffer,
      body.byteOffset + layout.headersEnd,
      Math.max(0, Math.min(to - layout.headersEnd, layout.mainLength)),
    );
    const type = info & INFO_TYPE_MASK;
    if (rmid === RM_SMGR) return this.#takeStorage(type, main);
    if (rmid === RM_DBASE) return this.#takeDatabase(type, main);
    if (type !== XLOG_PARAMETER_CHANGE) return true;
    if (main.byteLength < WAL_LEVEL_OFFSET + 4) return false;
    if (main.getInt32(WAL_LEVEL_OFFSET, true) === MINIMAL) this.#doubts.add("minimal-wal");
    return true;
  }

  block(tablespace: number, database: number, fileNumber: number, block: number): void {
    if (this.#doubts.has("too-many")) return;
    const relation = this.#relationOf(tablespace, database, fileNumber);
    const unit = Math.floor(block / this.#blocksPerUnit);
    if (unit === relation.last || (relation.newFrom !== undefined && block >= relation.newFrom)) return;
    relation.last = unit;
    relation.units.push(unit);
    this.#heldUnits += 1;
    if (this.#heldUnits >= MOST_COLLECTED) this.#settle();
  }

  /** What is held of the records so far: at most `MOST_COLLECTED` and `MOST_RELATIONS`. */
  get held(): { readonly units: number; readonly relations: number } {
    return { units: this.#heldUnits, relations: this.#heldRelations };
  }

  /** Keeps each unit once, in larger units until half of the room is free; and where the largest do not help, names no units. */
  #settle(): void {
    const relations = [...this.#relations.values()].flat();
    this.#makeDistinct(relations, 1);
    while (this.#heldUnits > MOST_COLLECTED / 2 && this.#blocksPerUnit < LARGEST_UNIT) {
      this.#blocksPerUnit *= 2;
      this.#makeDistinct(relations, 2);
    }
    if (this.#heldUnits <= MOST_COLLECTED / 2) return;
    for (const relation of relations) [relation.units.length, relation.newFrom] = [0, 0];
    this.#heldUnits = 0;
  }

  /** In units so many times larger. */
  #makeDistinct(relations: readonly Relation[], larger: number): void {
    this.#heldUnits = 0;
    for (const relation of relations) {
      relation.last = -1;
      this.#heldUnits += makeDistinct(relation.units, larger).length;
    }
  }

  /** Undefined until the segment was read to its end. */
  get changes(): SegmentChanges | undefined {
    return this.#changes;
  }

  end(reader: RecordReader): void {
    const isWhole = reader.end === undefined || (this.#until !== undefined && reader.validEndLsn >= this.#until);
    if (!isWhole) this.#doubts.add("unreadable");
    const { cut, continued, links } = reader;
    const isCutKnown = cut.length === 0 || this.addBeginning(cut);
    this.#changes = {
      ...this.collected(),
      ...links,
      cut: isCutKnown ? Buffer.alloc(0) : cut,
      continued,
    };
  }

  /** What the records so far change. */
  collected(): Pick<SegmentChanges, "blocksPerUnit" | "relations" | "databases" | "doubts"> {
    return {
      blocksPerUnit: this.#blocksPerUnit,
      relations: [...this.#relations.values()].flat().map(toChanges).toSorted(byFile),
      databases: [...this.#databases.values()],
      doubts: [...this.#doubts],
    };
  }

  /** `xl_smgr_create` and `xl_smgr_truncate`: what was made or cut off comes back only as something new. */
  #takeStorage(type: number, main: DataView): boolean {
    if (main.byteLength < (type === SMGR_TRUNCATE ? 20 : 16)) return false;
    if (type === SMGR_CREATE && main.getUint32(12, true) === MAIN_FORK) this.#cutOff(main, 0, 0);
    if (type === SMGR_TRUNCATE && (main.getUint32(16, true) & TRUNCATES_HEAP) !== 0)
      this.#cutOff(main, 4, main.getUint32(0, true));
    return true;
  }

  #cutOff(main: DataView, at: number, block: number): void {
    const relation = this.#relationOf(
      main.getUint32(at, true),
      main.getUint32(at + 4, true),
      main.getUint32(at + 8, true),
    );
    relation.newFrom = Math.min(relation.newFrom ?? block, block);
  }

  /**
   * `xl_dbase_create_file_copy_rec` and `xl_dbase_create_wal_log_rec` begin with the database and its tablespace,
   * `xl_dbase_drop_rec` with the database and a list of tablespaces. A move to another tablespace is a copy and a removal.
   */
  #takeDatabase(type: number, main: DataView): boolean {
    if (main.byteLength < 8) return false;
    const database = main.getUint32(0, true);
    const count = type === DBASE_DROP ? main.getInt32(4, true) : 1;
    const first = type === DBASE_DROP ? 8 : 4;
    if (main.byteLength < first + count * 4) return false;
    for (let index = 0; index < count; index++) {
      const tablespace = main.getUint32(first + index * 4, true);
      this.#databases.set(`${tablespace}/${database}`, { tablespace, database });
      if (this.#databases.size > MOST_RELATIONS) this.#giveUp();
    }
    return true;
  }

  #relationOf(tablespace: number, database: number, fileNumber: number): Relation {
    const latest = this.#latest;
    if (latest !== undefined && isThat(latest, tablespace, database, fileNumber)) return latest;
    let namesakes = this.#relations.get(fileNumber);
    if (namesakes === undefined) this.#relations.set(fileNumber, (namesakes = []));
    let found = namesakes.find((each) => isThat(each, tablespace, database, fileNumber));
    if (found !== undefined) return (this.#latest = found);
    found = { tablespace, database, fileNumber, newFrom: undefined, units: [], last: -1 };
    namesakes.push(found);
    this.#heldRelations += 1;
    if (this.#heldRelations > MOST_RELATIONS) this.#giveUp();
    return (this.#latest = found);
  }

  /** With a doubt nothing else counts. */
  #giveUp(): void {
    this.#doubts.add("too-many");
    this.#relations.clear();
    this.#databases.clear();
    this.#heldUnits = this.#heldRelations = 0;
  }
}

/** `XLOG_DBASE_DROP` (dbcommands_xlog.h). */
const DBASE_DROP = 0x20;

function isThat(relation: Relation, tablespace: number, database: number, fileNumber: number): boolean {
  return relation.fileNumber === fileNumber && relation.tablespace === tablespace && relation.database === database;
}

function toChanges({ tablespace, database, fileNumber, newFrom, units }: Relation): RelationChanges {
  return { tablespace, database, fileNumber, newFrom, units: makeDistinct(units, 1) };
}

function byFile(a: RelationChanges, b: RelationChanges): number {
  return a.tablespace - b.tablespace || a.database - b.database || a.fileNumber - b.fileNumber;
}
