import { secondsAt, textAt, timestampAt, walLevelOf } from "./record-fields.ts";
import type { WalFormat } from "../majors/supported-majors.ts";
import type { RawRecord } from "./raw-record.ts";
import {
  INFO_TYPE_MASK,
  RM_XACT,
  XLOG_BACKUP_END,
  XLOG_CHECKPOINT_SHUTDOWN,
  XLOG_END_OF_RECOVERY,
  XLOG_OVERWRITE_CONTRECORD,
  XLOG_PARAMETER_CHANGE,
  XLOG_RESTORE_POINT,
  XLOG_SWITCH,
} from "./record-types.ts";
import type { ParameterChange, WalRecord, WalRecordPosition } from "./wal-record.ts";
import { decodeTransactionRecord } from "./xact-record.ts";

/** Decodes a record of one of the decoded types; any other becomes `other`. */
export function decodeRecord(record: RawRecord, position: WalRecordPosition, format: WalFormat): WalRecord {
  if (record.dataLength < 0)
    return { kind: "other", ...position, resourceManager: record.rmid, info: record.info, xid: record.xid };
  if (record.rmid === RM_XACT) return decodeTransactionRecord(record, position, format);
  return decodeXlogRecord(record, position, format);
}

function decodeXlogRecord(
  { info, data, dataOffset: at }: RawRecord,
  position: WalRecordPosition,
  format: WalFormat,
): WalRecord {
  const type = info & INFO_TYPE_MASK;
  switch (type) {
    case XLOG_SWITCH:
      return { kind: "switch", ...position };
    case XLOG_BACKUP_END:
      return { kind: "backup-end", ...position, startLsn: data.getBigUint64(at, true) };
    case XLOG_RESTORE_POINT:
      return { kind: "restore-point", ...position, time: timestampAt(data, at), name: textAt(data, at + 8, 64) };
    case XLOG_PARAMETER_CHANGE:
      return { kind: "parameter-change", ...position, ...parametersAt(data, at) };
    case XLOG_END_OF_RECOVERY:
      return {
        kind: "end-of-recovery",
        ...position,
        time: timestampAt(data, at),
        timeline: data.getUint32(at + 8, true),
        previousTimeline: data.getUint32(at + 12, true),
      };
    case XLOG_OVERWRITE_CONTRECORD:
      return {
        kind: "overwrite-contrecord",
        ...position,
        overwrittenLsn: data.getBigUint64(at, true),
        time: timestampAt(data, at + 8),
      };
    default:
      return {
        kind: "checkpoint",
        ...position,
        shutdown: type === XLOG_CHECKPOINT_SHUTDOWN,
        redoLsn: data.getBigUint64(at, true),
        timeline: data.getUint32(at + 8, true),
        previousTimeline: data.getUint32(at + 12, true),
        nextXid: data.getBigUint64(at + format.checkpointNextOffset, true),
        time: secondsAt(data, at + format.checkpointTimeOffset),
      };
  }
}

/** `xl_parameter_change` (xlog_internal.h). */
function parametersAt(data: DataView, at: number): Omit<ParameterChange, "kind" | keyof WalRecordPosition> {
  return {
    maxConnections: data.getInt32(at, true),
    maxWorkerProcesses: data.getInt32(at + 4, true),
    maxWalSenders: data.getInt32(at + 8, true),
    maxPreparedTransactions: data.getInt32(at + 12, true),
    maxLocksPerTransaction: data.getInt32(at + 16, true),
    walLevel: walLevelOf(data.getInt32(at + 20, true)),
    walLogHints: data.getUint8(at + 24) !== 0,
    trackCommitTimestamp: data.getUint8(at + 25) !== 0,
  };
}
