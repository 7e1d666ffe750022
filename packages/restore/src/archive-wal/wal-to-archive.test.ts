import { formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LineageTable, PlannedSegment } from "../wal/lineage-table.ts";
import { walToArchive } from "./wal-to-archive.ts";

const SIZE = 1024 * 1024;
const name = (timeline: number, index: number): string => formatWalSegment({ timeline, index }, SIZE);
const stored = (timeline: number, index: number): PlannedSegment => ({
  name: name(timeline, index),
  key: `wal/${name(timeline, index)}.zst`,
  size: 1,
});
const local = (timeline: number, index: number, own = name(timeline, index)): PlannedSegment => ({
  ...stored(timeline, index),
  local: { file: `/old/pg_wal/${own}`, sha256: `${timeline}/${index}` },
});

function names(
  segments: readonly PlannedSegment[],
  branch: bigint,
  histories: NonNullable<LineageTable["histories"]> = {},
): string[] {
  return walToArchive({ segments, segmentSize: SIZE, histories }, branch).map((file) => file.name);
}

test("segments of the disk are stored, each timeline's history before its first one, and nothing that the bucket has", () => {
  const table = [stored(1, 2), local(1, 3), local(2, 4), stored(2, 5), local(2, 6)];
  const end = lsnOfSegmentIndex(7, SIZE);
  expect(names(table, end)).toEqual([name(1, 3), name(2, 4), name(2, 6)]);
  expect(names(table, end, { "00000002.history": "1\t0/400000\t\n", "00000007.history": "" })).toEqual([
    name(1, 3),
    "00000002.history",
    name(2, 4),
    name(2, 6),
  ]);
  expect(walToArchive({ segments: table, segmentSize: SIZE, histories: { "00000002.history": "" } }, end)[1]).toEqual({
    name: "00000002.history",
    file: "/old/pg_wal/00000002.history",
    sha256: undefined,
    history: "",
  });
});

test("another timeline's copy, a shipped tail, and a path that does not end with the name are not the segment", () => {
  const end = lsnOfSegmentIndex(9, SIZE);
  const copy = { ...local(2, 4, name(1, 4)), cut: "0/400100" };
  const tail = { ...stored(2, 5), tail: { size: 1, sha256: "" } };
  expect(names([copy, tail, local(2, 6, name(1, 6))], end)).toEqual([]);
});

test("only what lies wholly before the place where the new timeline begins", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: SIZE - 1 }), (index, offset) => {
      const segments = Array.from({ length: 40 }, (_, n) => local(1, n + 1));
      const found = names(segments, lsnOfSegmentIndex(index, SIZE) + BigInt(offset));
      expect(found).toEqual(Array.from({ length: index - 1 }, (_, n) => name(1, n + 1)));
    }),
  );
});
