import type { DatabaseDirectory } from "./segment-changes.ts";
import { readReferences, type RelationFile } from "./block-references.ts";
import type { Lsn } from "../wal-names/lsn.ts";
import type { RawRecord } from "../wal-records/raw-record.ts";
import {
  INFO_TYPE_MASK,
  RM_CLOG,
  RM_DBASE,
  RM_MULTIXACT,
  RM_SMGR,
  RM_XACT,
  SMGR_TRUNCATE,
} from "../wal-records/record-types.ts";
import { createScannerCore } from "../wal-records/wal-scanner.ts";
import { endedRelations } from "../wal-records/xact-record.ts";

/** What a stretch of WAL takes away from the files of a cluster: the whole of them, or their ends. */
export interface Removals {
  readonly relations: readonly RelationFile[];
  readonly databases: readonly DatabaseDirectory[];
  /** Whether states of transactions that nobody asks for any more were removed. */
  readonly transactions: boolean;
}

export interface RemovalScanner {
  /** Takes the bytes that follow on those pushed before. Throws WAL_INVALID when the first page is not that of the segment named. */
  push(bytes: Uint8Array): void;
  /** Reads a page that was pushed only in part, and tells what the records up to the end of WAL remove. */
  finish(): Removals;
}

/** Records that remove something: their resource managers and types (storage_xlog.h, clog.h, dbcommands_xlog.h, multixact.h). */
const REMOVING = {
  smgr: [RM_SMGR, SMGR_TRUNCATE],
  clog: [RM_CLOG, 0x10],
  database: [RM_DBASE, 0x20],
  multixact: [RM_MULTIXACT, 0x30],
} as const;

/** Begins to read what is removed, from the first record at or behind `from` on. Its segment is named, and given from its first byte on. */
export function createRemovalScanner({ name, from }: { readonly name: string; readonly from: Lsn }): RemovalScanner {
  const collector = new RemovalCollector();
  const core = createScannerCore(name, (record, { startLsn }) => {
    if (startLsn + BigInt(record.start) >= from) collector.add(record);
  });
  return {
    push: (bytes) => core.push(bytes),
    finish() {
      core.finish();
      return collector.removals;
    },
  };
}

/** Collects what records remove. One that cannot be understood removes nothing that is known. */
export class RemovalCollector {
  readonly #relations = new Map<string, RelationFile>();
  readonly #databases = new Map<string, DatabaseDirectory>();
  #transactions = false;

  add(record: RawRecord): void {
    if (record.rmid === RM_XACT) for (const at of endedRelations(record)) this.#addRelation(record.data, at);
    else if (is(record, "smgr")) this.#addRelation(mainDataOf(record), 4);
    else if (is(record, "database"))
      for (const one of droppedDatabases(mainDataOf(record)))
        this.#databases.set(`${one.tablespace}/${one.database}`, one);
    else if (is(record, "clog") || is(record, "multixact")) this.#transactions = true;
  }

  get removals(): Removals {
    return {
      relations: [...this.#relations.values()],
      databases: [...this.#databases.values()],
      transactions: this.#transactions,
    };
  }

  /** `RelFileLocator`. */
  #addRelation(view: DataView, at: number): void {
    if (at + 12 > view.byteLength) return;
    const [tablespace, database, fileNumber] = [0, 4, 8].map((offset) => view.getUint32(at + offset, true)) as [
      number,
      number,
      number,
    ];
    this.#relations.set(`${tablespace}/${database}/${fileNumber}`, { tablespace, database, fileNumber });
  }
}

function is({ rmid, info }: RawRecord, kind: keyof typeof REMOVING): boolean {
  return rmid === REMOVING[kind][0] && (info & INFO_TYPE_MASK) === REMOVING[kind][1];
}

const NO_SINK = { block: () => undefined };

/** The main data of a record that refers to no block stands right behind the headers. */
function mainDataOf({ body, bodyFrom: from, bodyTo: to, bodyLength: length }: RawRecord): DataView {
  const at = readReferences(body, { from, to, length }, NO_SINK)?.headersEnd ?? to;
  return new DataView(body.buffer, body.byteOffset + at, Math.max(0, to - at));
}

/** `xl_dbase_drop_rec`: a database, and the tablespaces that it goes from. */
function droppedDatabases(main: DataView): DatabaseDirectory[] {
  if (main.byteLength < 8) return [];
  const database = main.getUint32(0, true);
  const count = Math.min(main.getInt32(4, true), Math.floor((main.byteLength - 8) / 4));
  return Array.from({ length: Math.max(count, 0) }, (_, index) => ({
    tablespace: main.getUint32(8 + index * 4, true),
    database,
  }));
}
