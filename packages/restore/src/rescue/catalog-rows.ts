import { requireMajor } from "@soar/pg-tools/majors";
import type { Belonging } from "./belongings.ts";
import { heapTuples } from "./heap-tuples.ts";

/** `NAMEDATALEN`. */
const NAME_BYTES = 64;
/** The columns of pg_class have fixed places up to `reltoastrelid`, whose place depends on the major. */
const PG_CLASS = { namespace: 68, fileNumber: 88 } as const;

export interface ClassRow {
  readonly oid: number;
  readonly name: string;
  readonly namespace: number;
  /** 0 for mapped catalogs and for what has no file. */
  readonly fileNumber: number;
  readonly toast: number;
}

/** Every version of every row of pg_class that is in these pages. Throws SERVER_VERSION for a major that is not supported. */
export function classRows(pages: Buffer, blockSize: number, postgresMajor: number): ClassRow[] {
  const { classToastOffset: toastAt } = requireMajor(postgresMajor);
  return tuples(pages, blockSize, toastAt + 4).map((data) => ({
    oid: data.readUInt32LE(0),
    name: nameAt(data, 4),
    namespace: data.readUInt32LE(PG_CLASS.namespace),
    fileNumber: data.readUInt32LE(PG_CLASS.fileNumber),
    toast: data.readUInt32LE(toastAt),
  }));
}

/** Rows of pg_namespace: OID and name. */
export function namespaceRows(pages: Buffer, blockSize: number): { readonly oid: number; readonly name: string }[] {
  return tuples(pages, blockSize, 4 + NAME_BYTES).map((data) => ({ oid: data.readUInt32LE(0), name: nameAt(data, 4) }));
}

/** pg_index begins with `indexrelid` and `indrelid`, pg_inherits with `inhrelid` and `inhparent`. */
export function pairRows(pages: Buffer, blockSize: number): Belonging[] {
  return tuples(pages, blockSize, 8).map((data) => ({ part: data.readUInt32LE(0), whole: data.readUInt32LE(4) }));
}

const PG_CLASS_OID = 1259;
const AUTO_OR_INTERNAL = new Set(["a", "i"].map((letter) => letter.charCodeAt(0)));

/** Rows of pg_depend that say that a relation goes with another one, as an owned sequence with its table. */
export function dependRows(pages: Buffer, blockSize: number): Belonging[] {
  return tuples(pages, blockSize, 25)
    .filter(
      (data) =>
        data.readUInt32LE(0) === PG_CLASS_OID &&
        data.readUInt32LE(12) === PG_CLASS_OID &&
        AUTO_OR_INTERNAL.has(data.readUInt8(24)),
    )
    .map((data) => ({ part: data.readUInt32LE(4), whole: data.readUInt32LE(16) }));
}

const MAP_HEADER_BYTES = 8;
const MAPPING_BYTES = 8;

/** pg_filenode.map (relmapper.c): OID to file number of the catalogs that pg_class cannot tell of. */
export function parseFileNodeMap(bytes: Buffer): Map<number, number> {
  const count =
    bytes.length < MAP_HEADER_BYTES
      ? 0
      : Math.min(bytes.readInt32LE(4), Math.floor((bytes.length - MAP_HEADER_BYTES) / MAPPING_BYTES));
  return new Map(
    Array.from({ length: Math.max(0, count) }, (_, index) => [
      bytes.readUInt32LE(MAP_HEADER_BYTES + index * MAPPING_BYTES),
      bytes.readUInt32LE(MAP_HEADER_BYTES + index * MAPPING_BYTES + 4),
    ]),
  );
}

function tuples(pages: Buffer, blockSize: number, leastBytes: number): Buffer[] {
  return [...heapTuples(pages, blockSize)].filter((data) => data.length >= leastBytes);
}

function nameAt(data: Buffer, offset: number): string {
  const end = data.indexOf(0, offset);
  return data.toString("utf8", offset, end < 0 ? offset + NAME_BYTES : Math.min(end, offset + NAME_BYTES));
}
