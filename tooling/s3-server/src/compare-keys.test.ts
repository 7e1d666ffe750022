import fc from "fast-check";
import { expect, test } from "vitest";
import { compareKeys, lowerBound } from "./compare-keys.ts";

const anyKey = fc.string({ unit: "grapheme", maxLength: 6 });

test("orders keys by their UTF-8 bytes", () => {
  fc.assert(
    fc.property(anyKey, anyKey, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test("orders characters beyond U+FFFF behind all others, which JavaScript does not", () => {
  expect(compareKeys("\u{1F600}", "\uFF5E")).toBeGreaterThan(0);
  expect(["\uFF5E", "\u{1F600}"].toSorted()).toEqual(["\u{1F600}", "\uFF5E"]);
});

test("finds the first key that is not smaller", () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyKey), anyKey, (keys, wanted) => {
      const sorted = keys.toSorted(compareKeys);
      const expected = sorted.findIndex((key) => compareKeys(key, wanted) >= 0);
      expect(lowerBound(sorted, wanted)).toBe(expected < 0 ? sorted.length : expected);
    }),
  );
});
