import { encodeName } from "./entry-name.ts";
import { BLOCK_BYTES } from "./parse-header.ts";
import type { TarEntry } from "./tar-entry.ts";

const TYPE_FLAGS = { file: "0", link: "1", symlink: "2", directory: "5" } as const;
const PAX_FLAG = "x";

/** What `formatHeader` can write; devices and pipes are never made. */
export type WritableEntry = TarEntry & { readonly type: keyof typeof TYPE_FLAGS };

/** Places and lengths of the fields of a ustar header (POSIX.1-1988; pgtar.h). */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  linkname: [157, 100],
  devmajor: [329, 8],
  devminor: [337, 8],
} as const;
type NumberField = "mode" | "uid" | "gid" | "size" | "mtime" | "devmajor" | "devminor";

const TYPE_AT = 156;
const MAGIC_AT = 257;

/**
 * The header of an entry as PostgreSQL writes it (`tarCreateHeader`): one block of ustar, with a pax header in front for a
 * name or link of more than 100 bytes. Its content, and `paddingOf` its size, follow.
 */
export function formatHeader(entry: WritableEntry): Buffer {
  const { name, records } = longNames(entry);
  const header = formatBlock(entry, name, TYPE_FLAGS[entry.type]);
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const about = formatBlock({ ...entry, size: body.length, link: "" }, Buffer.from("pax"), PAX_FLAG);
  return Buffer.concat([about, body, Buffer.alloc(paddingOf(body.length)), header]);
}

/** Zeros that follow content of this size up to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** The two blocks of zeros without which an archive is not complete. */
export const ARCHIVE_END_BYTES = 2 * BLOCK_BYTES;

interface LongNames {
  /** As the header has it. */
  readonly name: Buffer;
  /** Pax records of what does not fit there. */
  readonly records: readonly Buffer[];
}

function longNames({ path, type, link }: WritableEntry): LongNames {
  const name = encodeName(type === "directory" ? `${path}/` : path);
  const target = encodeName(link);
  return {
    name,
    records: [
      ...(name.length > FIELDS.name[1] ? [paxRecord("path", name)] : []),
      ...(target.length > FIELDS.linkname[1] ? [paxRecord("linkpath", target)] : []),
    ],
  };
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length > length) length++;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function formatBlock({ mode, uid, gid, size, mtime, link }: WritableEntry, name: Buffer, typeFlag: string): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  name.copy(block, FIELDS.name[0], 0, FIELDS.name[1]);
  encodeName(link).copy(block, FIELDS.linkname[0], 0, FIELDS.linkname[1]);
  const numbers = { mode, uid, gid, size, mtime: Math.floor(mtime), devmajor: 0, devminor: 0 };
  for (const [field, value] of Object.entries(numbers)) writeNumber(block, field as NumberField, value);
  block.write(typeFlag, TYPE_AT, "latin1");
  block.write("ustar\u000000", MAGIC_AT, "latin1");
  writeChecksum(block);
  return block;
}

/** In octal digits and a zero byte; what they cannot hold in binary, marked by the highest bit, as GNU tar has it. */
function writeNumber(block: Buffer, field: NumberField, value: number): void {
  const [at, length] = FIELDS[field];
  const digits = length - 1;
  if (value >= 0 && value < 8 ** digits) block.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  else writeBinary(block, at, length, value);
}

function writeBinary(block: Buffer, at: number, length: number, value: number): void {
  let rest = BigInt(value);
  for (let place = at + length - 1; place > at; place--) {
    block[place] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[at] = value < 0 ? 0xff : 0x80;
}

/** The sum of all bytes, its own field counted as spaces. */
function writeChecksum(block: Buffer): void {
  const [at, length] = FIELDS.checksum;
  block.fill(" ", at, at + length, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0`, at, "latin1");
}
