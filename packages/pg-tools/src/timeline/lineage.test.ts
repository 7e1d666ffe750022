import { describe, expect, test } from "vitest";
import { isOnLineage, switchLsnOf, timelineOfLsn, timelineOfSegment, timelineSpans } from "./lineage.ts";

const MIB16 = 2 ** 24;
/** Timeline 1 was left in the middle of segment 3, timeline 2 exactly at the start of segment 7. */
const history = {
  timeline: 5,
  entries: [
    { timeline: 1, switchLsn: 0x300_0148n, reason: "" },
    { timeline: 2, switchLsn: 0x700_0000n, reason: "" },
  ],
};

describe("a lineage", () => {
  test("is cut into one span per timeline", () => {
    expect(timelineSpans(history)).toEqual([
      { timeline: 1, startLsn: 0n, endLsn: 0x300_0148n },
      { timeline: 2, startLsn: 0x300_0148n, endLsn: 0x700_0000n },
      { timeline: 5, startLsn: 0x700_0000n, endLsn: undefined },
    ]);
    expect(timelineSpans({ timeline: 1, entries: [] })).toEqual([{ timeline: 1, startLsn: 0n, endLsn: undefined }]);
  });

  test("gives each byte to one timeline", () => {
    expect(
      [0x300_0147n, 0x300_0148n, 0x6ff_ffffn, 0x700_0000n, 0x900_0000n].map((lsn) => timelineOfLsn(history, lsn)),
    ).toEqual([1, 2, 2, 5, 5]);
  });

  test("gives a segment with a switch point in it to the younger timeline", () => {
    expect([1, 2, 3, 4, 6, 7, 8].map((index) => timelineOfSegment(history, index, MIB16))).toEqual([
      1, 1, 2, 2, 2, 5, 5,
    ]);
  });

  test("skips a timeline that was left within the segment in which it began", () => {
    const brief = {
      timeline: 3,
      entries: [...history.entries.slice(0, 1), { timeline: 2, switchLsn: 0x300_0200n, reason: "" }],
    };
    expect(timelineOfSegment(brief, 3, MIB16)).toBe(3);
    expect(timelineOfSegment(brief, 2, MIB16)).toBe(1);
  });

  test("knows where an ancestor was left", () => {
    expect([1, 2, 5, 9].map((timeline) => switchLsnOf(history, timeline))).toEqual([
      0x300_0148n,
      0x700_0000n,
      undefined,
      undefined,
    ]);
  });

  test.each([
    [1, 0x300_0148n, true],
    [1, 0x300_0149n, false],
    [2, 0x300_0147n, false],
    [2, 0x500_0000n, true],
    [5, 0x700_0000n, true],
    [5, 0xf00_0000n, true],
    [3, 0x800_0000n, false],
  ])("timeline %i replayed up to %s may go on: %s", (timeline, lsn, expected) => {
    expect(isOnLineage(history, { timeline, lsn })).toBe(expected);
  });
});
