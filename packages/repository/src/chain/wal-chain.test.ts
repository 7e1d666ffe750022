import {
  formatWalSegment,
  lsnOfSegmentIndex,
  parseWalSegment,
  timelineOfSegment,
  type TimelineHistory,
} from "@soar/pg-tools";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assembleChain } from "./wal-chain.ts";
import type { TimelineSegments } from "../wal/wal-inventory.ts";
import { walKey } from "../wal/wal-key.ts";

const SIZE = 16 * 1024 * 1024;
const first: TimelineHistory = { timeline: 1, entries: [] };
/** Timeline 1 was left in the middle of segment 4, for timeline 3. */
const branched: TimelineHistory = {
  timeline: 3,
  entries: [{ timeline: 1, switchLsn: lsnOfSegmentIndex(4, SIZE) + 0x148n, reason: "" }],
};

function inventory(present: Readonly<Record<number, readonly number[]>>): Map<number, TimelineSegments> {
  return new Map(
    Object.entries(present).map(([key, indexes]) => {
      const timeline = Number(key);
      const segments = indexes.map((index) => {
        const name = formatWalSegment({ timeline, index }, SIZE);
        return [index, [{ name, key: walKey(name, "zstd"), codec: "zstd" as const, size: 1000 }]] as const;
      });
      return [timeline, { timeline, segments: new Map(segments) }];
    }),
  );
}

const brief = (history: TimelineHistory, from: number, present: Readonly<Record<number, readonly number[]>>) => {
  const chain = assembleChain(history, SIZE, from, inventory(present));
  return {
    segments: chain.segments.map(({ timeline, index }) => `${timeline}/${index}`),
    holes: chain.holes.map(({ from: a, to, count }) => [a, to, count]),
    end: chain.endIndex,
    last: chain.lastIndex,
  };
};

describe("a WAL chain", () => {
  test("goes from the first segment to the last without a hole", () => {
    expect(brief(first, 2, { 1: [5, 2, 3, 4, 1] })).toEqual({
      segments: ["1/2", "1/3", "1/4", "1/5"],
      holes: [],
      end: 6,
      last: 5,
    });
  });

  test("ends before the first hole and names every missing segment", () => {
    expect(brief(first, 2, { 1: [2, 3, 6, 8] })).toEqual({
      segments: ["1/2", "1/3"],
      holes: [
        ["000000010000000000000004", "000000010000000000000005", 2],
        ["000000010000000000000007", "000000010000000000000007", 1],
      ],
      end: 4,
      last: 8,
    });
  });

  test("starts with a hole when the first segment is missing", () => {
    expect(brief(first, 2, { 1: [3] })).toMatchObject({
      segments: [],
      holes: [["000000010000000000000002", "000000010000000000000002", 1]],
      end: 2,
    });
  });

  test("is empty when nothing is there", () => {
    expect(brief(first, 2, { 1: [1] })).toEqual({ segments: [], holes: [], end: 2, last: undefined });
  });

  test("changes the timeline at the segment with the switch point and never takes the abandoned branch beyond it", () => {
    expect(brief(branched, 2, { 1: [2, 3, 4, 5, 6], 3: [4, 5] })).toEqual({
      segments: ["1/2", "1/3", "3/4", "3/5"],
      holes: [],
      end: 6,
      last: 5,
    });
  });

  test("lets the parent's copy, cut at the switch, stand in when only the history of the new timeline was archived", () => {
    expect(brief(branched, 2, { 1: [2, 3, 4, 5, 6], 3: [] })).toEqual({
      segments: ["1/2", "1/3", "3/4"],
      holes: [],
      end: 5,
      last: 4,
    });
    const [, , last] = assembleChain(branched, SIZE, 2, inventory({ 1: [2, 3, 4, 5, 6], 3: [] })).segments;
    expect(last).toMatchObject({
      name: "000000030000000000000004",
      object: { name: "000000010000000000000004" },
      cutLsn: lsnOfSegmentIndex(4, SIZE) + 0x148n,
    });
  });

  test("lets the parent's copy stand in also where nothing at all of the new timeline is in the bucket", () => {
    expect(brief(branched, 2, { 1: [2, 3, 4, 5] })).toEqual({
      segments: ["1/2", "1/3", "3/4"],
      holes: [],
      end: 5,
      last: 4,
    });
  });

  test("ends before the switch when nobody archived the segment with the switch point", () => {
    expect(brief(branched, 2, { 1: [2, 3, 5], 3: [] })).toEqual({
      segments: ["1/2", "1/3"],
      holes: [],
      end: 4,
      last: 3,
    });
  });

  test("does not let the parent's copy hide that the child's first segment is missing", () => {
    expect(brief(branched, 2, { 1: [2, 3, 4], 3: [5] })).toMatchObject({
      segments: ["1/2", "1/3"],
      holes: [["000000030000000000000004", "000000030000000000000004", 1]],
    });
  });

  test("takes nothing from the parent when the switch lies on the boundary of segments", () => {
    const onBoundary: TimelineHistory = {
      timeline: 3,
      entries: [{ timeline: 1, switchLsn: lsnOfSegmentIndex(4, SIZE), reason: "" }],
    };
    expect(brief(onBoundary, 2, { 1: [2, 3, 4], 3: [] })).toMatchObject({ segments: ["1/2", "1/3"], end: 4 });
  });

  test("splits a hole at the switch of timelines", () => {
    expect(brief(branched, 2, { 1: [2], 3: [6] }).holes).toEqual([
      ["000000010000000000000003", "000000010000000000000003", 1],
      ["000000030000000000000004", "000000030000000000000005", 2],
    ]);
  });

  test("survives a stray name that is far away", () => {
    expect(brief(first, 2, { 1: [2, 2 ** 39] }).holes).toMatchObject([
      ["000000010000000000000003", expect.any(String), 2 ** 39 - 3],
    ]);
  });

  test("covers every segment number exactly once, on the timeline that the lineage gives it", () => {
    const timelines = fc.uniqueArray(fc.nat({ max: 30 }), { maxLength: 25 });
    fc.assert(
      fc.property(timelines, timelines, fc.nat({ max: 10 }), fc.nat({ max: 30 }), (one, three, from, switchIndex) => {
        const history: TimelineHistory = {
          timeline: 3,
          entries: [{ timeline: 1, switchLsn: lsnOfSegmentIndex(switchIndex, SIZE) + 8n, reason: "" }],
        };
        const chain = assembleChain(history, SIZE, from, inventory({ 1: one, 3: three }));
        const standsIn = one.includes(switchIndex) && !three.some((index) => index >= switchIndex);
        const present = (index: number) =>
          (timelineOfSegment(history, index, SIZE) === 1 ? one : three).includes(index) ||
          (index === switchIndex && standsIn);
        const missing = new Set(
          chain.holes.flatMap((hole) => {
            const { timeline, index } = parseWalSegment(hole.from, SIZE);
            expect(timelineOfSegment(history, index, SIZE)).toBe(timeline);
            return Array.from({ length: hole.count }, (_, offset) => index + offset);
          }),
        );
        chain.segments.forEach((segment, offset) => {
          expect(segment.index).toBe(from + offset);
          expect(segment.timeline).toBe(timelineOfSegment(history, segment.index, SIZE));
        });
        for (let index = from; index <= (chain.lastIndex ?? -1); index += 1)
          expect(missing.has(index), `segment ${index}`).toBe(!present(index));
        expect(present(chain.endIndex)).toBe(false);
      }),
    );
  });
});
