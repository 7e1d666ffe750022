import { ID_DATA_LONG, ID_DATA_SHORT, ID_ORIGIN, ID_TOPLEVEL_XID } from "../wal-records/record-header.ts";

/** A relation's files: the OIDs of its tablespace and database, and its `relfilenode`. */
export interface RelationFile {
  readonly tablespace: number;
  /** 0 for shared relations. */
  readonly database: number;
  readonly fileNumber: number;
}

/** Receives what a record refers to; blocks of forks other than the main one are left out. */
export interface ReferenceSink {
  block(tablespace: number, database: number, fileNumber: number, block: number): void;
}

/** `XLR_MAX_BLOCK_ID` (xlogrecord.h). */
const MAX_BLOCK_ID = 32;

/** Bits of `fork_flags`. */
const FORK_MASK = 0x0f;
const HAS_IMAGE = 0x10;
const SAME_RELATION = 0x80;

/** Bits of `bimg_info`: a compressed image with a hole has the hole's length, too. Since PostgreSQL 15. */
const IMAGE_HAS_HOLE = 0x01;
const IMAGE_IS_COMPRESSED = 0x04 | 0x08 | 0x10;

/** What the headers of a record's body say about its parts. */
export interface BodyLayout {
  /** Number of blocks of any fork. */
  readonly blocks: number;
  /** Where the headers end: the main data begins there if the blocks have neither data nor images. */
  readonly headersEnd: number;
  readonly mainLength: number;
}

/**
 * Reads the references of one record, whose body (everything behind the fixed header) has `length` bytes and begins at `from`;
 * those up to `to` are there. They have one form for all resource managers (`DecodeXLogRecord`, xlogreader.c). Returns
 * undefined when the headers are of another form or do not end before `to`: then it is not known what the record changes.
 */
export function readReferences(
  view: DataView,
  { from, to, length }: { readonly from: number; readonly to: number; readonly length: number },
  sink: ReferenceSink,
): BodyLayout | undefined {
  const end = from + length;
  let at = from;
  let blocks = 0;
  /** Bytes of data and images, which stand behind all headers. */
  let contents = 0;
  let mainLength = 0;
  let tablespace = 0;
  let database = 0;
  let fileNumber = 0;
  let isRelationKnown = false;
  while (end - at > contents + mainLength) {
    // The shortest header has two bytes.
    if (at + 2 > to) return undefined;
    const id = view.getUint8(at);
    if (id > MAX_BLOCK_ID) {
      if (id === ID_ORIGIN) at += 3;
      else if (id === ID_TOPLEVEL_XID) at += 5;
      else if (id === ID_DATA_SHORT) {
        mainLength = view.getUint8(at + 1);
        at += 2;
        break;
      } else if (id === ID_DATA_LONG) {
        if (at + 5 > to) return undefined;
        mainLength = view.getUint32(at + 1, true);
        at += 5;
        break;
      } else return undefined;
      continue;
    }
    if (at + 4 > to) return undefined;
    const flags = view.getUint8(at + 1);
    const dataLength = view.getUint16(at + 2, true);
    contents += dataLength;
    at += 4;
    if ((flags & HAS_IMAGE) !== 0) {
      if (at + 5 > to) return undefined;
      const info = view.getUint8(at + 4);
      contents += view.getUint16(at, true);
      at += (info & IMAGE_HAS_HOLE) !== 0 && (info & IMAGE_IS_COMPRESSED) !== 0 ? 7 : 5;
    }
    if ((flags & SAME_RELATION) === 0) {
      if (at + 12 > to) return undefined;
      tablespace = view.getUint32(at, true);
      database = view.getUint32(at + 4, true);
      fileNumber = view.getUint32(at + 8, true);
      isRelationKnown = true;
      at += 12;
    }
    if (!isRelationKnown || at + 4 > to) return undefined;
    if ((flags & FORK_MASK) === 0) sink.block(tablespace, database, fileNumber, view.getUint32(at, true));
    blocks++;
    at += 4;
  }
  // What is left is exactly what the headers announce, or they were misread.
  return at > to || end - at !== contents + mainLength ? undefined : { blocks, headersEnd: at, mainLength };
}
