import type { DatabaseDirectory } from "./segment-changes.ts";
import { readReferences, type RelationFile } from "./block-references.ts";
import type { StateRemoval } from "./state-removals.ts";
import type { Lsn } from "../wal-names/lsn.ts";
import type { RawRecord } from "../wal-records/raw-record.ts";
import {
  INFO_TYPE_MASK,
  RM_CLOG,
  RM_COMMIT_TS,
  RM_DBASE,
  RM_MULTIXACT,
  RM_SMGR,
  RM_XACT,
  SMGR_TRUNCATE,
} from "../wal-records/record-types.ts";
import { createScannerCore, requireReader } from "../wal-records/wal-scanner.ts";
import { endedRelations } from "../wal-records/xact-record.ts";

/** What a stretch of WAL takes away from the files of a cluster: the whole of them, or their ends. */
export interface Removals {
  readonly relations: readonly RemovedRelation[];
  /** Dropped ones, and copies of files: a replay of such a copy removes first what stands in its place (dbase_redo). */
  readonly databases: readonly DatabaseDirectory[];
  readonly states: readonly StateRemoval[];
}

/**
 * What was removed of a relation. Its main fork, its visibility map and its free space map are truncated by the same record, or some of
 * them, to what belongs to so many blocks of the main fork: the fewest that were left at any moment; infinite where nothing was removed.
 */
export interface RemovedRelation extends RelationFile {
  /** Whether all of its files are gone, of every fork. */
  readonly isDropped: boolean;
  readonly leftBlocks: Readonly<Record<TruncatedFork, number>>;
}

export type TruncatedFork = "main" | "vm" | "fsm";

export interface RemovalScanner {
  /** Takes the bytes that follow on those pushed before. Throws WAL_INVALID when the first page is not that of the segment named. */
  push(bytes: Uint8Array): void;
  /** Whether the end of WAL was found: what is pushed behind it is not read. */
  readonly hasEnded: boolean;
  /** End of the last record that was read. Throws WAL_INVALID when nothing was pushed. */
  readonly validEndLsn: Lsn;
  /** Reads a page that was pushed only in part, and tells what the records up to the end of WAL remove. */
  finish(): Removals;
}

/** Records that remove something: their resource managers and types (storage_xlog.h, clog.h, dbcommands_xlog.h, multixact.h, commit_ts.h). */
const REMOVING = {
  smgr: [RM_SMGR, SMGR_TRUNCATE],
  clog: [RM_CLOG, 0x10],
  databaseCopy: [RM_DBASE, 0x00],
  database: [RM_DBASE, 0x20],
  multixact: [RM_MULTIXACT, 0x30],
  commitTimes: [RM_COMMIT_TS, 0x10],
} as const;

/** Bits of the flags in `xl_smgr_truncate`. */
const FORK_FLAGS: readonly (readonly [TruncatedFork, number])[] = [
  ["main", 0x1],
  ["vm", 0x2],
  ["fsm", 0x4],
];

export interface RemovalScannerOptions {
  /** Name of the segment with whose first byte the bytes begin. */
  readonly name: string;
  /** Records before it remove nothing that matters. */
  readonly from: Lsn;
  /** Neither do those that begin at it or behind. */
  readonly until?: Lsn | undefined;
}

/** Begins to read what is removed. */
export function createRemovalScanner({ name, from, until }: RemovalScannerOptions): RemovalScanner {
  const collector = new RemovalCollector();
  const core = createScannerCore(name, (record, { startLsn }) => {
    const lsn = startLsn + BigInt(record.start);
    if (lsn >= from && (until === undefined || lsn < until)) collector.add(record);
  });
  return {
    push: (bytes) => core.push(bytes),
    get hasEnded() {
      return core.reader?.end !== undefined;
    },
    get validEndLsn() {
      return requireReader(core).validEndLsn;
    },
    finish() {
      core.finish();
      return collector.removals;
    },
  };
}

/** Collects what records remove. One that cannot be understood removes nothing that is known. */
export class RemovalCollector {
  readonly #relations = new Map<string, RemovedRelation>();
  readonly #databases = new Map<string, DatabaseDirectory>();
  readonly #states = new Map<string, StateRemoval>();

  add(record: RawRecord): void {
    if (record.rmid === RM_XACT) for (const at of endedRelations(record)) this.#addRelation(record.data, at);
    else if (is(record, "smgr")) this.#addTruncation(mainDataOf(record));
    else if (record.rmid === RM_DBASE)
      for (const one of removedDatabases(record)) this.#databases.set(`${one.tablespace}/${one.database}`, one);
    else for (const one of stateRemovals(record)) this.#states.set(JSON.stringify(one), one);
  }

  get removals(): Removals {
    return {
      relations: [...this.#relations.values()],
      databases: [...this.#databases.values()],
      states: [...this.#states.values()],
    };
  }

  /** `xl_smgr_truncate`: to how many blocks, of which relation, and which of its forks. */
  #addTruncation(main: DataView): void {
    if (main.byteLength < 20) return;
    const [blocks, flags] = [main.getUint32(0, true), main.getUint32(16, true)];
    this.#addRelation(
      main,
      4,
      FORK_FLAGS.flatMap(([fork, flag]) => ((flags & flag) === 0 ? [] : [[fork, blocks] as const])),
    );
  }

  /** `RelFileLocator`, and what was left of its forks: nothing of any where none is named. */
  #addRelation(view: DataView, at: number, left?: readonly (readonly [TruncatedFork, number])[]): void {
    if (at + 12 > view.byteLength) return;
    const [tablespace, database, fileNumber] = [0, 4, 8].map((offset) => view.getUint32(at + offset, true)) as [
      number,
      number,
      number,
    ];
    const key = `${tablespace}/${database}/${fileNumber}`;
    const before = this.#relations.get(key);
    const leftBlocks = { main: Infinity, vm: Infinity, fsm: Infinity, ...before?.leftBlocks };
    for (const [fork, blocks] of left ?? []) leftBlocks[fork] = Math.min(leftBlocks[fork], blocks);
    const isDropped = left === undefined || before?.isDropped === true;
    this.#relations.set(key, { tablespace, database, fileNumber, isDropped, leftBlocks });
  }
}

function is({ rmid, info }: RawRecord, kind: keyof typeof REMOVING): boolean {
  return rmid === REMOVING[kind][0] && (info & INFO_TYPE_MASK) === REMOVING[kind][1];
}

const NO_SINK = { block: () => undefined };
const NO_DATA = { headersEnd: 0, mainLength: 0 };

/** The main data of a record that refers to no block stands right behind the headers. */
function mainDataOf({ body, bodyFrom: from, bodyTo: to, bodyLength: length }: RawRecord): DataView {
  const { headersEnd, mainLength } = readReferences(body, { from, to, length }, NO_SINK) ?? NO_DATA;
  return new DataView(body.buffer, body.byteOffset + headersEnd, Math.min(to - headersEnd, mainLength));
}

/** `xl_dbase_drop_rec`: a database, and the tablespaces that it goes from. `xl_dbase_create_file_copy_rec`: one, and where it comes to. */
function removedDatabases(record: RawRecord): DatabaseDirectory[] {
  const main = mainDataOf(record);
  if (main.byteLength < 8) return [];
  const database = main.getUint32(0, true);
  if (is(record, "databaseCopy")) return [{ database, tablespace: main.getUint32(4, true) }];
  if (!is(record, "database")) return [];
  const count = Math.min(main.getInt32(4, true), Math.floor((main.byteLength - 8) / 4));
  return Array.from({ length: Math.max(count, 0) }, (_, index) => ({
    tablespace: main.getUint32(8 + index * 4, true),
    database,
  }));
}

/**
 * `xl_clog_truncate` and `xl_commit_ts_truncate` begin with a page, of 8 bytes from PostgreSQL 17 on, and go on with 8 and 4 others;
 * `xl_multixact_truncate` has a database, and two stretches, or from PostgreSQL 19 on the oldest of each, the member of 8 bytes.
 */
function stateRemovals(record: RawRecord): StateRemoval[] {
  if (is(record, "clog")) return pageRemoval("xact", mainDataOf(record), 8);
  if (is(record, "commitTimes")) return pageRemoval("commit-ts", mainDataOf(record), 4);
  if (!is(record, "multixact")) return [];
  const main = mainDataOf(record);
  if (main.byteLength === 16)
    return [
      { kind: "offsets", beforeMulti: main.getUint32(4, true) },
      { kind: "members", beforeMember: Number(main.getBigUint64(8, true)) },
    ];
  if (main.byteLength < 20) return [];
  return [
    { kind: "offsets", beforeMulti: main.getUint32(8, true) },
    { kind: "members", from: main.getUint32(12, true), to: main.getUint32(16, true) },
  ];
}

/** Its upper half is 0: pages are counted by transactions of 32 bits. */
function pageRemoval(kind: "xact" | "commit-ts", main: DataView, others: number): StateRemoval[] {
  return main.byteLength < 4 + others ? [] : [{ kind, beforePage: main.getUint32(0, true) }];
}
