/**
 * One valid record. The same object is handed over every time, because a segment holds a hundred thousand of them.
 * Positions are bytes since the first segment's start: exact as numbers, where LSNs would need bigints.
 */
export interface RawRecord {
  rmid: number;
  info: number;
  xid: number;
  start: number;
  /** Where the next record may begin; behind the padding for a switch record. */
  end: number;
  /** Where the record before ended, which is where replay stands when it stops before this one. */
  previousEnd: number;
  /**
   * Holds what stands behind the record's header, at `bodyFrom` up to `bodyTo`: all of it, or of a record that crosses pages
   * and is not decoded its first `HEAD_SIZE` bytes.
   */
  body: DataView;
  bodyFrom: number;
  bodyTo: number;
  /** Bytes of the whole body. */
  bodyLength: number;
  /** Holds the main data of a decoded record. */
  data: DataView;
  dataOffset: number;
  /** -1 when the record is not of a decoded type. */
  dataLength: number;
}

const NO_DATA = new DataView(new ArrayBuffer(0));

/** The object that a reader fills again for each record. */
export function createRawRecord(): RawRecord {
  return {
    rmid: 0,
    info: 0,
    xid: 0,
    start: 0,
    end: 0,
    previousEnd: 0,
    body: NO_DATA,
    bodyFrom: 0,
    bodyTo: 0,
    bodyLength: 0,
    data: NO_DATA,
    dataOffset: 0,
    dataLength: -1,
  };
}
