import { pageLsn } from "@soar/pg-tools/page-checksum";

const ZEROS = Buffer.alloc(32 * 1024);

export function isZero(page: Buffer): boolean {
  return ZEROS.compare(page, 0, page.length, 0, page.length) === 0;
}

/** `PageHeaderData` (bufpage.h), and which of its flags there are. */
const HEADER_BYTES = 24;
const FLAGS = 10;
const LOWER = 12;
const UPPER = 14;
const SPECIAL = 16;
const SIZE_AND_VERSION = 18;
const LAYOUT_VERSION = 4;
const KNOWN_FLAGS = 0x0007;

/** What PostgreSQL asks of any page that is not all zeros (`PageIsVerified`), and the layout that each of its versions has written. */
export function hasSoundHeader(page: Buffer): boolean {
  const [lower, upper, special] = [page.readUInt16LE(LOWER), page.readUInt16LE(UPPER), page.readUInt16LE(SPECIAL)];
  return (
    (page.readUInt16LE(FLAGS) & ~KNOWN_FLAGS) === 0 &&
    upper > 0 &&
    lower <= upper &&
    upper <= special &&
    special <= page.length &&
    special % 8 === 0 &&
    page.readUInt16LE(SIZE_AND_VERSION) === (page.length | LAYOUT_VERSION)
  );
}

/** Whether a page was made ready and never filled: a server may write it before the WAL of its first use, with no position. */
export function isUnfilled(page: Buffer): boolean {
  const upper = page.readUInt16LE(UPPER);
  return (
    pageLsn(page) === 0n &&
    page.readUInt16LE(LOWER) === HEADER_BYTES &&
    upper === page.readUInt16LE(SPECIAL) &&
    page.subarray(HEADER_BYTES, upper).every((byte) => byte === 0)
  );
}

/**
 * Whether two pages differ at most in what a server changes without WAL: hint bits, marks of dead index entries, and the cache
 * in the first page of an SP-GiST index (`heap_mask`, `mask_lp_flags` and `btree_mask` in PostgreSQL's own comparison of pages).
 */
export function isSameButHints(now: Buffer, before: Buffer): boolean {
  return now.equals(before) || withoutHints(now).equals(withoutHints(before));
}

/** Whether a page of a visibility map has only lost bits: setting one is WAL, clearing one is part of another change. */
export function hasOnlyLostBits(now: Buffer, before: Buffer | undefined): boolean {
  for (let at = HEADER_BYTES; at < now.length; at += 1)
    if (((now[at] as number) & ~(before?.[at] ?? 0)) !== 0) return false;
  return true;
}

const CHECKSUM = 8;
const PRUNE_XID = 20;
const LINE_POINTER_BYTES = 4;
const NORMAL = 1;
const LEAST_TUPLE_BYTES = 23;
/** The upper byte of `t_infomask`: its lower half says which transactions of a tuple were seen to have ended. */
const HINTS_OF_TUPLE = 21;

function withoutHints(page: Buffer): Buffer {
  const masked = Buffer.from(page);
  masked.writeUInt16LE(0, CHECKSUM);
  masked.writeUInt16LE(0, FLAGS);
  masked.writeUInt32LE(0, PRUNE_XID);
  const special = page.readUInt16LE(SPECIAL);
  const end = Math.min(page.readUInt16LE(LOWER), page.length);
  for (let at = HEADER_BYTES; at + LINE_POINTER_BYTES <= end; at += LINE_POINTER_BYTES) {
    const pointer = page.readUInt32LE(at);
    // `lp_flags` lies between the offset and the length, of 15 bits each.
    if (special < page.length) masked.writeUInt32LE((pointer & ~(3 << 15)) >>> 0, at);
    else if (((pointer >>> 15) & 3) === NORMAL) maskTuple(masked, pointer & 0x7fff);
  }
  if (special < page.length) {
    maskSpecial(masked, special);
    if (page.readUInt32LE(HEADER_BYTES) === SPGIST_MAGIC) maskLastUsed(masked);
  }
  return masked;
}

function maskTuple(page: Buffer, at: number): void {
  if (at >= HEADER_BYTES && at + LEAST_TUPLE_BYTES <= page.length) clear(page, at + HINTS_OF_TUPLE, 0x0f);
}

/** What the last two bytes of the special space tell of the kind of index, and of the flags that it changes by itself. */
const GIST_PAGE = 0xff81;
const HASH_PAGE = 0xff80;
const HIGHEST_CYCLE = 0xff7f;
const BRIN_PAGE = 0xf093;

function maskSpecial(page: Buffer, special: number): void {
  const kind = page.readUInt16LE(page.length - 2);
  const bytes = page.length - special;
  // F_HAS_GARBAGE, LH_PAGE_HAS_DEAD_TUPLES, BTP_HAS_GARBAGE, BRIN_EVACUATE_PAGE.
  if (bytes === 16 && kind === GIST_PAGE) clear(page, special + 12, 0x10);
  else if (bytes === 16 && kind === HASH_PAGE) clear(page, special + 12, 0x80);
  else if (bytes === 16 && kind <= HIGHEST_CYCLE) {
    clear(page, special + 12, 0x40);
    page.writeUInt16LE(0, page.length - 2);
  } else if (bytes === 8 && kind === BRIN_PAGE) clear(page, special + 4, 0x01);
}

function clear(page: Buffer, at: number, bits: number): void {
  page[at] = (page[at] as number) & ~bits;
}

/** `SpGistMetaPageData`: the pages with room that were used last, which no WAL tells of. */
const SPGIST_MAGIC = 0xba0b_abee;
const LAST_USED_BYTES = 64;

function maskLastUsed(page: Buffer): void {
  page.writeUInt16LE(0, LOWER);
  page.fill(0, HEADER_BYTES + 4, HEADER_BYTES + 4 + LAST_USED_BYTES);
}
