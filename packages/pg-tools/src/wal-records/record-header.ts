/** Size of `XLogRecord`, the fixed part in front of every record (xlogrecord.h). */
export const RECORD_HEADER_SIZE = 24;
/** The checksum is the header's last field and covers everything before it, after the rest of the record. */
export const RECORD_CRC_OFFSET = 20;

export const RECORD_XID_OFFSET = 4;
export const RECORD_PREV_OFFSET = 8;
export const RECORD_INFO_OFFSET = 16;
export const RECORD_RMID_OFFSET = 17;

/** Records begin at multiples of eight bytes (MAXALIGN on every 64-bit platform). */
export function alignRecord(offset: number): number {
  return (offset + 7) & ~7;
}

/** Where a record's main data stands, behind the headers that say how long its parts are. */
export interface MainData {
  readonly offset: number;
  readonly length: number;
}

/** What stands in the place of a block's number (xlogrecord.h). */
export const ID_DATA_SHORT = 255;
export const ID_DATA_LONG = 254;
export const ID_ORIGIN = 253;
export const ID_TOPLEVEL_XID = 252;

/**
 * Finds the main data of a record without block references, whose body (everything behind the fixed header) is
 * `view[from, to)`. Returns `undefined` for a body of another shape, which no decoded record type has.
 */
export function locateMainData(view: DataView, from: number, to: number): MainData | undefined {
  let offset = from;
  while (offset < to) {
    switch (view.getUint8(offset)) {
      case ID_DATA_SHORT:
        return exactly(offset + 2, offset + 2 <= to ? view.getUint8(offset + 1) : -1, to);
      case ID_DATA_LONG:
        return exactly(offset + 5, offset + 5 <= to ? view.getUint32(offset + 1, true) : -1, to);
      case ID_ORIGIN:
        offset += 3;
        break;
      case ID_TOPLEVEL_XID:
        offset += 5;
        break;
      default:
        return undefined;
    }
  }
  return exactly(offset, 0, to);
}

/** Main data is the last part of a record, so it must end exactly where the record does. */
function exactly(offset: number, length: number, to: number): MainData | undefined {
  return offset + length === to ? { offset, length } : undefined;
}
