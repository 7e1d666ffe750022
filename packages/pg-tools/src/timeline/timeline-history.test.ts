import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { timelineOfLsn } from "./lineage.ts";
import {
  formatTimelineHistory,
  findSwitchPoint,
  parseTimelineHistory,
  type TimelineHistory,
} from "./timeline-history.ts";

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

  // What PostgreSQL 15 wrote when recovery followed timeline 2, and stopped before its fork.
  test("whose switch points go backwards are those of the timelines that a point belongs to", () => {
    const text = '1\t0/9000F8\tat restore point "late"\n\n2\t0/816070\tat restore point "early"\n';
    expect(parseTimelineHistory(text, 3)).toEqual({
      timeline: 3,
      entries: [{ timeline: 1, switchLsn: 0x816070n, reason: 'at restore point "early"' }],
    });
  });

  test("say where a timeline was left, also one that has no point of its own", () => {
    const text = "1\t0/9000F8\ta\n\n2\t0/816070\tb\n";
    expect([1, 2, 3].map((ancestor) => findSwitchPoint(text, 4, ancestor))).toEqual([0x816070n, 0x816070n, undefined]);
    expect(findSwitchPoint("1\t0/5\ta\n\n2\t0/9\tb\n", 3, 1)).toBe(5n);
    expect(() => findSwitchPoint(text, 2, 1)).toThrow(/names timeline 2 as an ancestor/);
  });

  test("belong to the timelines that tliOfPointInHistory finds, whatever their switch points are", () => {
    const points = fc.array(fc.bigInt(1n, 6n), { maxLength: 6 });
    fc.assert(
      fc.property(points, fc.bigInt(0n, 7n), (switches, lsn) => {
        const text = switches.map((at, index) => `${index + 1}\t0/${at}\tx\n`).join("\n");
        const history = parseTimelineHistory(text, switches.length + 1);
        const begins = [0n, ...switches];
        // The youngest that has begun, and has not ended.
        const expected = begins.findLastIndex((begin, index) => begin <= lsn && lsn < (switches[index] ?? 8n)) + 1;
        expect(timelineOfLsn(history, lsn)).toBe(expected);
        for (const [index, { switchLsn }] of history.entries.entries())
          expect(switchLsn).toBeGreaterThanOrEqual(history.entries[index - 1]?.switchLsn ?? 0n);
      }),
    );
  });

  test.each([
    ["1 nonsense", 2, "is not a timeline and an LSN"],
    ["x\t0/1\ty", 2, "is not a timeline and an LSN"],
    ["2\t0/1\tx\n2\t0/2\ty", 3, "do not increase"],
    ["0\t0/1\tx", 3, "do not increase"],
    ["3\t0/1\tx", 3, "names timeline 3"],
  ])("are refused when they hold %j", (text, timeline, fact) => {
    expect(() => parseTimelineHistory(text, timeline)).toThrow(
      expect.objectContaining({ code: "FORMAT_INVALID", message: expect.stringContaining(fact) as string }),
    );
  });
});
