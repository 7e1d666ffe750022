import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatWalSegment,
  isWalSegmentSize,
  lsnOfSegmentIndex,
  nextWalSegment,
  parseWalSegment,
  segmentIndexBeforeLsn,
  segmentIndexOfLsn,
} from "./wal-segment.ts";

const MIB = 2 ** 20;
const segmentSizes = fc.integer({ min: 0, max: 10 }).map((exponent) => MIB * 2 ** exponent);
const segments = segmentSizes.chain((segmentSize) =>
  fc.record({
    segmentSize: fc.constant(segmentSize),
    segment: fc.record({
      timeline: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      index: fc.integer({ min: 0, max: 2 ** 64 / segmentSize - 2 ** 11 }),
    }),
  }),
);

describe("names of WAL segments", () => {
  test("are read and written alike at every segment size", () => {
    fc.assert(
      fc.property(segments, ({ segment, segmentSize }) => {
        expect(parseWalSegment(formatWalSegment(segment, segmentSize), segmentSize)).toEqual(segment);
      }),
    );
  });

  test.each([
    [1, "000000010000000000000FFF", "000000010000000100000000"],
    [16, "0000000100000000000000FE", "0000000100000000000000FF"],
    [16, "0000000100000000000000FF", "000000010000000100000000"],
    [64, "0000000A000000A90000003F", "0000000A000000AA00000000"],
    [1024, "000000010000000000000003", "000000010000000100000000"],
  ])("cross a log id at %i MiB: %s is followed by %s", (mib, name, next) => {
    expect(formatWalSegment(nextWalSegment(parseWalSegment(name, mib * MIB)), mib * MIB)).toBe(next);
  });

  test.each([
    ["00000001000000000000FFFF", 16],
    ["000000010000000000000100", 16],
    ["000000010000000000000040", 64],
    ["000000010000000000000004", 1024],
    ["000000000000000000000001", 16],
    ["00000001000000000000000", 16],
    ["0000000100000000000000001", 16],
    ["00000001000000000000000a", 16],
    ["00000002.history", 16],
    ["000000010000000000000001.partial", 16],
  ])("refuses %s with segments of %i MiB", (name, mib) => {
    expect(() => parseWalSegment(name, mib * MIB)).toThrow(expect.objectContaining({ code: "WAL_NAME_INVALID" }));
  });

  test("takes a segment size that cannot be for a bug, not for an operator's mistake", () => {
    for (const size of [0, -1, 2 ** 19, 2 ** 31, 3 * MIB, Number.NaN, 1.5]) {
      expect(isWalSegmentSize(size)).toBe(false);
      expect(() => parseWalSegment("000000010000000000000001", size)).toThrow(RangeError);
    }
  });
});

describe("positions and segments", () => {
  test("the first byte of a segment lies in it, the byte before in the one before", () => {
    fc.assert(
      fc.property(segments, ({ segment: { index }, segmentSize }) => {
        const start = lsnOfSegmentIndex(index, segmentSize);
        expect(segmentIndexOfLsn(start, segmentSize)).toBe(index);
        expect(segmentIndexOfLsn(start + BigInt(segmentSize - 1), segmentSize)).toBe(index);
        expect(segmentIndexBeforeLsn(start + 1n, segmentSize)).toBe(index);
        if (index > 0) expect(segmentIndexBeforeLsn(start, segmentSize)).toBe(index - 1);
      }),
    );
  });
});
