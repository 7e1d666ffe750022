import { expect, test } from "vitest";
import { hasOnlyLostBits, hasSoundHeader, isSameButHints, isUnfilled } from "./page-content.ts";

/** A page with two line pointers, the second of which is dead, and `special` bytes at its end. */
function page({ special = 0, kind = 0 }: { readonly special?: number; readonly kind?: number } = {}): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeUInt32LE(0x1, 0);
  bytes.writeUInt32LE(0x2000, 4);
  bytes.writeUInt16LE(32, 12);
  bytes.writeUInt16LE(8000, 14);
  bytes.writeUInt16LE(8192 - special, 16);
  bytes.writeUInt16LE(8192 | 4, 18);
  // lp_off 8000, LP_NORMAL, lp_len 60; then LP_DEAD.
  bytes.writeUInt32LE((8000 | (1 << 15) | (60 << 17)) >>> 0, 24);
  bytes.writeUInt32LE(3 << 15, 28);
  bytes.fill(0x5a, 8000, 8060);
  if (special > 0) bytes.writeUInt16LE(kind, 8190);
  return bytes;
}

const changed = (bytes: Buffer, at: number, bits = 1): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ bits;
  return copy;
};

test.each([
  ["flags that there are not", 10, 0x08],
  ["a beginning of the room behind its end", 13, 0x40],
  ["its contents behind the special space", 15, 0x20],
  ["a special space that is not aligned", 16, 0x01],
  ["another layout", 18, 0x01],
])("a header is that of a page, and not with %s", (_name, at, bits) => {
  expect(hasSoundHeader(page())).toBe(true);
  expect(hasSoundHeader(changed(page(), at, bits))).toBe(false);
});

test("a header without contents, or with a special space behind the page, is none", () => {
  const empty = page();
  empty.writeUInt16LE(0, 14);
  expect(hasSoundHeader(empty)).toBe(false);
  const behind = page();
  behind.writeUInt16LE(8200, 16);
  expect(hasSoundHeader(behind)).toBe(false);
});

test("a page that was made ready and never filled", () => {
  const bytes = Buffer.alloc(8192);
  bytes.writeUInt16LE(24, 12);
  bytes.writeUInt16LE(8176, 14);
  bytes.writeUInt16LE(8176, 16);
  bytes.writeUInt16LE(8192 | 4, 18);
  bytes.fill(7, 8176);
  expect(isUnfilled(bytes)).toBe(true);
  expect(isUnfilled(changed(bytes, 4000))).toBe(false);
  expect(isUnfilled(changed(bytes, 4))).toBe(false);
  expect(isUnfilled(changed(bytes, 12, 8))).toBe(false);
  expect(isUnfilled(changed(bytes, 14, 8))).toBe(false);
});

test.each([
  ["its checksum", 8, 0xff, true],
  ["that it is full, or all visible", 10, 0x06, true],
  ["the oldest transaction to prune", 20, 0xff, true],
  ["hint bits of a tuple", 8021, 0x0f, true],
  ["another bit of a tuple", 8021, 0x10, false],
  ["the data of a tuple", 8030, 0x01, false],
  ["a line pointer", 25, 0x80, false],
  ["its free room", 4000, 0x01, false],
  ["what stands behind a dead line pointer", 21 + 24, 0x01, false],
])("of a table: %s", (_name, at, bits, isHint) => {
  expect(isSameButHints(page(), page())).toBe(true);
  expect(isSameButHints(changed(page(), at, bits), page())).toBe(isHint);
});

test.each([
  ["B-tree", 16, 0x0001, 8192 - 4, 0x40],
  ["hash", 16, 0xff80, 8192 - 4, 0x80],
  ["GiST", 16, 0xff81, 8192 - 4, 0x10],
  ["BRIN", 8, 0xf093, 8192 - 4, 0x01],
])("of a page of a %s index: its own mark and dead entries, and nothing else", (_name, special, kind, at, bits) => {
  const before = page({ special, kind });
  expect(isSameButHints(changed(before, at, bits), before)).toBe(true);
  expect(isSameButHints(changed(before, at, 0x02), before)).toBe(false);
  // LP_NORMAL becomes LP_DEAD.
  expect(isSameButHints(changed(before, 26), before)).toBe(true);
  expect(isSameButHints(changed(before, 24), before)).toBe(false);
  expect(isSameButHints(changed(before, 8021, 0x01), before)).toBe(false);
});

test("a B-tree forgets in which cycle of VACUUM a page was split, a GIN index has no marks", () => {
  const before = page({ special: 16, kind: 7 });
  expect(isSameButHints(changed(before, 8190, 7), before)).toBe(true);
  const gin = page({ special: 8 });
  expect(isSameButHints(changed(gin, 8188), gin)).toBe(false);
});

test("the first page of an SP-GiST index keeps which pages were used last", () => {
  const before = page({ special: 8, kind: 0xff82 });
  before.writeUInt32LE(0xba0b_abee, 24);
  expect(isSameButHints(changed(before, 30), before)).toBe(true);
  expect(isSameButHints(changed(before, 12, 8), before)).toBe(true);
  expect(isSameButHints(changed(before, 100), before)).toBe(false);
});

test("line pointers that lead out of the page are compared as they are", () => {
  const wrong = page();
  wrong.writeUInt32LE((8190 | (1 << 15)) >>> 0, 24);
  wrong.writeUInt16LE(0xffff, 12);
  expect(isSameButHints(changed(wrong, 4000), wrong)).toBe(false);
});

test("a visibility map loses bits without WAL, and gets none", () => {
  const before = Buffer.alloc(8192, 0);
  before[100] = 0b0110;
  const now = Buffer.from(before);
  now[8] = 77;
  now[100] = 0b0100;
  expect(hasOnlyLostBits(now, before)).toBe(true);
  expect(hasOnlyLostBits(before, now)).toBe(false);
  expect(hasOnlyLostBits(now, undefined)).toBe(false);
  expect(hasOnlyLostBits(Buffer.alloc(8192), undefined)).toBe(true);
});
