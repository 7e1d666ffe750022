import fc from "fast-check";
import { expect, test } from "vitest";
import { compareLsn, formatLsn, formatServerLsn, parseLsn } from "./lsn.ts";

test.each([
  ["0/0", 0n],
  ["16/B374D848", 0x16_b374_d848n],
  ["0/03000060", 0x300_0060n],
  ["ffffffff/ffffffff", 0xffff_ffff_ffff_ffffn],
])("reads %s", (text, lsn) => {
  expect(parseLsn(text)).toBe(lsn);
});

test.each(["", "0", "/", "0/", "/0", "0/0 ", "0/G", "000000000/0", "0/000000001", "0x1/0", "1/0\n"])(
  "refuses %j",
  (text) => {
    expect(() => parseLsn(text)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  },
);

test("formats as PostgreSQL prints, and reads its own text back", () => {
  expect(formatLsn(0x16_b374_d848n)).toBe("16/B374D848");
  expect(formatLsn(0x300_0060n)).toBe("0/3000060");
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (lsn) => parseLsn(formatLsn(lsn)) === lsn));
});

test("formats as PostgreSQL 19 prints, with zeros behind the slash", () => {
  const style = { lsnLowDigits: 8 };
  expect(formatServerLsn(0x28n, style)).toBe("0/00000028");
  expect(formatServerLsn(0x16_b374_d848n, style)).toBe("16/B374D848");
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (lsn) => parseLsn(formatServerLsn(lsn, style)) === lsn));
});

test("sorts by position, not by text", () => {
  const lsns = ["10/0", "9/FFFFFFFF", "0/1", "9/FFFFFFFF"].map(parseLsn);
  expect(lsns.toSorted(compareLsn).map(formatLsn)).toEqual(["0/1", "9/FFFFFFFF", "9/FFFFFFFF", "10/0"]);
});
