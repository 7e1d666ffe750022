import { formatWalSegment, parseWalSegment } from "@soar/pg-tools";
import fc from "fast-check";
import { expect, test } from "vitest";
import { explainHole } from "../chain/explain-hole.ts";
import type { ExpiredWal } from "../markers/expired-wal.ts";
import { expiredRanges } from "./expired-ranges.ts";

const SIZE = 16 * 1024 * 1024;
const name = (index: number, timeline = 1) => formatWalSegment({ timeline, index }, SIZE);
const object = (index: number, timeline = 1) => ({
  key: `wal/${name(index, timeline)}.zst`,
  name: name(index, timeline),
  size: 1,
});
const recordOf = (ranges: ExpiredWal["ranges"]): ExpiredWal => ({
  format: 1,
  id: "a",
  expiredAt: "2025-01-01T00:00:00Z",
  windowStart: "2024-12-01T00:00:00Z",
  ranges,
});
const numbers = (ranges: ExpiredWal["ranges"]) =>
  ranges.map(({ from, to }) => [parseWalSegment(from, SIZE).index, parseWalSegment(to, SIZE).index]);

test("what lies between two removed segments belongs to them, and a stretch reaches to what stays", () => {
  const wal = [1, 2, 3, 6, 7, 10, 11].map((index) => object(index));
  // 4 and 5 were missing before, 8 and 9 too: nobody can use them any more.
  const removeWal = [3, 6, 7].map((index) => object(index));
  expect(numbers(expiredRanges({ wal, segmentSize: SIZE }, { removeWal }, []))).toEqual([[3, 9]]);
});

test("the ranges of earlier expiries are taken over, without what is there again", () => {
  const wal = [5, 6, 20, 21].map((index) => object(index));
  const earlier = [recordOf([{ from: name(1), to: name(10) }]), recordOf([{ from: name(1, 2), to: name(3, 2) }])];
  expect(expiredRanges({ wal, segmentSize: SIZE }, { removeWal: [] }, earlier)).toEqual([
    { from: name(1), to: name(4) },
    { from: name(7), to: name(19) },
    { from: name(1, 2), to: name(3, 2) },
  ]);
});

test("every removed segment is in a range, no staying one is, and a hole is explained by them alone", () => {
  const facts = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.boolean()), {
    selector: ([index]) => index,
    minLength: 1,
  });
  fc.assert(
    fc.property(facts, (segments) => {
      const wal = segments.map(([index]) => object(index));
      const removeWal = segments.filter(([, goes]) => goes).map(([index]) => object(index));
      const ranges = expiredRanges({ wal, segmentSize: SIZE }, { removeWal }, []);
      const isIn = (index: number) => numbers(ranges).some(([from = 0, to = 0]) => from <= index && index <= to);
      for (const [index, goes] of segments) expect(isIn(index)).toBe(goes);
      const hole = { timeline: 1, from: name(1), to: name(60), count: 60 };
      const parts = explainHole(hole, SIZE, { gaps: [], expired: [recordOf(ranges)] });
      expect(parts.reduce((sum, { count }) => sum + count, 0)).toBe(60);
      for (const { from, to, cause } of parts) {
        for (let at = parseWalSegment(from, SIZE).index; at <= parseWalSegment(to, SIZE).index; at += 1)
          expect(cause).toBe(isIn(at) ? "expired" : "missing");
      }
    }),
  );
});

test("a gap and an expiry that overlap explain each segment once, and what is in neither is missing", () => {
  const gap = { format: 1 as const, from: name(3), to: name(6), declaredBy: "x", declaredAt: "y", reason: "z" };
  const expired = [recordOf([{ from: name(5), to: name(8) }]), recordOf([{ from: name(1, 2), to: name(20, 2) }])];
  const hole = { timeline: 1, from: name(2), to: name(10), count: 9 };
  const parts = explainHole(hole, SIZE, { gaps: [gap], expired });
  expect(parts.map(({ cause, from, to }) => [cause, from, to])).toEqual([
    ["missing", name(2), name(2)],
    ["given-up", name(3), name(6)],
    ["expired", name(7), name(8)],
    ["missing", name(9), name(10)],
  ]);
});

test("records of expiry that overlap explain a stretch as one", () => {
  const expired = [recordOf([{ from: name(1), to: name(3) }]), recordOf([{ from: name(3), to: name(6) }])];
  const hole = { timeline: 1, from: name(2), to: name(5), count: 4 };
  expect(explainHole(hole, SIZE, { gaps: [], expired })).toEqual([
    { cause: "expired", gap: undefined, from: name(2), to: name(5), count: 4 },
  ]);
});

test("a history file is in no range, and does not tear one", () => {
  const wal = [object(1), { key: "wal/00000002.history", name: "00000002.history", size: 1 }, object(2), object(3)];
  const removeWal = [object(1), object(2)];
  expect(numbers(expiredRanges({ wal, segmentSize: SIZE }, { removeWal }, []))).toEqual([[1, 2]]);
});
