import { formatWalSegment } from "@soar/pg-tools";
import { walKey } from "@soar/repository/wal";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerWalRequest, formatLineageTable, parseLineageTable, type LineageTable } from "./lineage-table.ts";

const SIZE = 16 * 1024 * 1024;
const name = (timeline: number, index: number) => formatWalSegment({ timeline, index }, SIZE);

/** Segments 4 to 6: timeline 1 up to 5, timeline 2 from 6 on. */
const table: LineageTable = {
  format: 1,
  timeline: 2,
  systemIdentifier: "7551234567890123456",
  segmentSize: SIZE,
  firstIndex: 4,
  segments: [
    { name: name(1, 4), key: walKey(name(1, 4), "zstd"), size: 100 },
    { name: name(1, 5), key: walKey(name(1, 5), "gzip"), size: 200 },
    { name: name(2, 6), key: walKey(name(1, 6), "none"), size: SIZE, cut: "0/6000148" },
  ],
};

describe("a request of recovery", () => {
  test("for a planned pair is answered with exactly that object", () => {
    expect(answerWalRequest(table, name(1, 5))).toMatchObject({
      answer: "deliver",
      segment: {
        cutLsn: undefined,
        object: { name: name(1, 5), key: `wal/${name(1, 5)}.gz`, codec: "gzip", size: 200 },
      },
    });
    expect(answerWalRequest(table, name(2, 6))).toMatchObject({
      answer: "deliver",
      segment: { timeline: 2, cutLsn: 0x6000148n, object: { name: name(1, 6), codec: "none" } },
    });
  });

  test.each([
    ["another timeline of a planned segment", name(2, 5)],
    ["the parent's segment beyond its switch point", name(1, 6)],
    ["a segment behind the last planned one", name(2, 7)],
    ["a timeline that is not planned at all", name(9, 4)],
  ])("for %s is proved absent", (_, asked) => {
    expect(answerWalRequest(table, asked)).toEqual({ answer: "absent" });
  });

  test("for a history file depends on the bucket", () => {
    expect(answerWalRequest(table, "00000003.history")).toEqual({ answer: "look-up", timeline: 3, text: undefined });
  });

  test.each([
    ["a segment before the plan", name(1, 3), "WAL_MISSING"],
    ["a partial segment", `${name(1, 4)}.partial`, "WAL_NAME_INVALID"],
    ["a backup history file", `${name(1, 4)}.00000028.backup`, "WAL_NAME_INVALID"],
    ["a path", "../pg_control", "WAL_NAME_INVALID"],
    ["a segment number that this size does not have", "000000010000000000000100", "WAL_NAME_INVALID"],
  ])("for %s stops recovery", (_, asked, code) => {
    expect(() => answerWalRequest(table, asked)).toThrow(expect.objectContaining({ code }));
  });

  test("never gets a file of another name, whatever is asked", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 4, max: 9 }), (timeline, index) => {
        const request = answerWalRequest(table, name(timeline, index));
        const planned = index <= 6 && timeline === (index < 6 ? 1 : 2);
        expect(request.answer).toBe(planned ? "deliver" : "absent");
        if (request.answer === "deliver") expect(request.segment.name).toBe(name(timeline, index));
      }),
    );
  });
});

test("a table is read as it was written", () => {
  expect(parseLineageTable(formatLineageTable(table), "p")).toEqual(table);
});

test.each([
  "",
  "{}",
  "[]",
  "null",
  '{"format":2}',
  JSON.stringify({ ...table, segments: [{ name: "k" }] }),
  JSON.stringify({ ...table, segmentSize: "16" }),
])("%j is no table", (text) => {
  expect(() => parseLineageTable(text, "p")).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
});
