import type { WalFormat } from "../majors/supported-majors.ts";
import { textAt, timestampAt } from "./record-fields.ts";
import type { RawRecord } from "./raw-record.ts";
import {
  isTransactionEnd,
  PREPARE_HEADER_SIZE,
  XACT_ABORT,
  XACT_ABORT_PREPARED,
  XACT_COMMIT,
  XACT_COMMIT_PREPARED,
  XACT_HAS_INFO,
  XACT_TYPE_MASK,
} from "./record-types.ts";
import type { TransactionEnd, TransactionPrepare, WalRecordPosition } from "./wal-record.ts";

/** Bits of the xinfo field (xact.h): which parts follow, in this order. */
const HAS_DATABASE = 1 << 0;
const HAS_SUBTRANSACTIONS = 1 << 1;
const HAS_RELATIONS = 1 << 2;
const HAS_INVALIDATIONS = 1 << 3;
const HAS_TWO_PHASE = 1 << 4;
const HAS_DROPPED_STATS = 1 << 8;

const KINDS: ReadonlyMap<number, TransactionEnd["kind"]> = new Map([
  [XACT_COMMIT, "commit"],
  [XACT_ABORT, "abort"],
  [XACT_COMMIT_PREPARED, "commit-prepared"],
  [XACT_ABORT_PREPARED, "abort-prepared"],
]);

/** Decodes a record of the transaction manager that `isDecodedRecord` names. */
export function decodeTransactionRecord(
  record: RawRecord,
  position: WalRecordPosition,
  format: WalFormat,
): TransactionEnd | TransactionPrepare {
  const kind = KINDS.get(record.info & XACT_TYPE_MASK);
  if (kind === undefined) return decodePrepare(record, position);
  const isPrepared = kind === "commit-prepared" || kind === "abort-prepared";
  const xid = isPrepared ? (twoPhaseXid(record, format) ?? record.xid) : record.xid;
  return { kind, ...position, xid, time: timestampAt(record.data, record.dataOffset) };
}

/** `xl_xact_prepare`: the state file of a prepared transaction, whose first part never changed since version 15. */
function decodePrepare({ data, dataOffset }: RawRecord, position: WalRecordPosition): TransactionPrepare {
  const gidLength = data.getUint16(dataOffset + 54, true);
  return {
    kind: "prepare",
    ...position,
    xid: data.getUint32(dataOffset + 8, true),
    time: timestampAt(data, dataOffset + 16),
    gid: textAt(data, dataOffset + PREPARE_HEADER_SIZE, gidLength),
  };
}

/**
 * Finds the xid of a prepared transaction in its commit or abort record (`ParseCommitRecord` in xactdesc.c): the record's own
 * xid is that of the session that ended it, if it has one at all.
 */
function twoPhaseXid(record: RawRecord, { droppedStatsSize }: WalFormat): number | undefined {
  const { data } = record;
  const parts = partsBeforeRelations(record);
  if (parts === undefined) return undefined;
  const { has } = parts;
  let { at } = parts;
  const skipList = (flag: number, itemSize: number): void => {
    if ((has & flag) !== 0) at += 4 + data.getInt32(at, true) * itemSize;
  };
  skipList(HAS_RELATIONS, RELATION_SIZE);
  skipList(HAS_DROPPED_STATS, droppedStatsSize);
  skipList(HAS_INVALIDATIONS, 16);
  return (has & HAS_TWO_PHASE) === 0 ? undefined : data.getUint32(at, true);
}

/** `RelFileLocator`. */
const RELATION_SIZE = 12;

/** Where in the data of a commit or abort record the relations stand whose files it removes. */
export function endedRelations(record: RawRecord): number[] {
  const parts = isTransactionEnd(record.rmid, record.info) ? partsBeforeRelations(record) : undefined;
  if (parts === undefined || (parts.has & HAS_RELATIONS) === 0) return [];
  const { at } = parts;
  const count = record.data.getInt32(at, true);
  return Array.from({ length: count }, (_, index) => at + 4 + index * RELATION_SIZE);
}

/** What xinfo says that there is, and where the part of the relations would begin; undefined without xinfo. */
function partsBeforeRelations({ info, data, dataOffset }: RawRecord): { has: number; at: number } | undefined {
  if ((info & XACT_HAS_INFO) === 0) return undefined;
  const has = data.getUint32(dataOffset + 8, true);
  let at = dataOffset + 12;
  if ((has & HAS_DATABASE) !== 0) at += 8;
  if ((has & HAS_SUBTRANSACTIONS) !== 0) at += 4 + data.getInt32(at, true) * 4;
  return { has, at };
}
