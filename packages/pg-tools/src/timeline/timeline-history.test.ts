import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatTimelineHistory, parseTimelineHistory, type TimelineHistory } from "./timeline-history.ts";

const reasons = fc.stringMatching(/^[!-~]( ?[!-~]){0,40}$/);
const histories: fc.Arbitrary<TimelineHistory> = fc
  .array(fc.record({ step: fc.integer({ min: 1, max: 5 }), advance: fc.bigInt(0n, 2n ** 40n), reason: reasons }), {
    maxLength: 8,
  })
  .map((steps) => {
    let timeline = 0;
    let switchLsn = 0n;
    const entries = steps.map(({ step, advance, reason }) => {
      timeline += step;
      switchLsn += advance;
      return { timeline, switchLsn, reason };
    });
    return { timeline: timeline + 1, entries };
  });

describe("timeline history files", () => {
  test("are read and written alike", () => {
    fc.assert(
      fc.property(histories, (history) => {
        expect(parseTimelineHistory(formatTimelineHistory(history), history.timeline)).toEqual(history);
      }),
    );
  });

  test("have an empty line between entries, as PostgreSQL writes them", () => {
    const text = "1\t0/3000148\tno recovery target specified\n\n2\t0/5000000\tbefore 2026-01-10 14:30:00.000001+00\n";
    const history = parseTimelineHistory(text, 3);
    expect(history.entries[1]).toEqual({
      timeline: 2,
      switchLsn: 0x500_0000n,
      reason: "before 2026-01-10 14:30:00.000001+00",
    });
    expect(formatTimelineHistory(history)).toBe(text);
  });

  test("may hold comments, blank lines, spaces for tabs and no reason", () => {
    expect(parseTimelineHistory("# comment\n\n  1   0/03000148  \n", 2)).toEqual({
      timeline: 2,
      entries: [{ timeline: 1, switchLsn: 0x300_0148n, reason: "" }],
    });
    expect(parseTimelineHistory("", 1)).toEqual({ timeline: 1, entries: [] });
  });

  test.each([
    ["1 nonsense", 2, "is not a timeline and an LSN"],
    ["x\t0/1\ty", 2, "is not a timeline and an LSN"],
    ["2\t0/1\tx\n2\t0/2\ty", 3, "do not increase"],
    ["0\t0/1\tx", 3, "do not increase"],
    ["1\t0/5\tx\n2\t0/4\ty", 3, "go backwards"],
    ["3\t0/1\tx", 3, "names timeline 3"],
  ])("are refused when they hold %j", (text, timeline, fact) => {
    expect(() => parseTimelineHistory(text, timeline)).toThrow(
      expect.objectContaining({ code: "FORMAT_INVALID", message: expect.stringContaining(fact) as string }),
    );
  });
});
