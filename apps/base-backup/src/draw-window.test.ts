import type { RecoveryWindow, RestorableRange } from "@soar/repository/window";
import { expect, test } from "vitest";
import { drawWindow } from "./draw-window.ts";

const day = (number: number) => new Date(Date.UTC(2025, 0, number));
const hole = { from: "a", to: "b", count: 1, declared: undefined, expired: false };

function range(from: number, to: number | undefined, more: Partial<RestorableRange> = {}): RestorableRange {
  return {
    from: day(from).toISOString(),
    to: to === undefined ? undefined : day(to).toISOString(),
    fromLsn: "0/0",
    toLsn: "0/0",
    backups: [],
    hole: undefined,
    ...more,
  };
}

function draw(...timelines: RestorableRange[][]): string[] {
  const window: RecoveryWindow = {
    timelines: timelines.map((ranges, index) => ({
      timeline: timelines.length - index,
      parent: undefined,
      ranges,
      unusable: [],
    })),
    gaps: [],
    unreadable: [],
  };
  const backups = new Map([1, 11, 21].map((number) => [`d${number}`, day(number)]));
  return drawWindow(window, { width: 80, now: day(31), backups }).split("\n");
}

test("nothing restorable draws nothing", () => {
  expect(draw([])).toEqual([""]);
});

test("backups and what follows them stand on one axis, no wider than the terminal", () => {
  const lines = draw([range(1, 31, { backups: ["d1", "d11", "d21"] })]);
  expect(lines[0]).toMatch(/^timeline 1 B#{22}B#{22}B#{22}$/);
  expect(lines[1]).toMatch(/^ {11}2025-01-01 +2025-01-31$/);
  expect(Math.max(...lines.map(({ length }) => length))).toBe(80);
});

test("a hole shows, however small, and so does one that the archive ends with", () => {
  const [small = ""] = draw([range(1, 15, { hole, backups: ["d1"] }), range(15.01, 31)]);
  expect(small).toMatch(/^timeline 1 B#+\.#+$/);
  const [open = ""] = draw([range(1, 11, { hole })]);
  expect(open).toMatch(/^timeline 1 #{23,24}\.{45,46}$/);
});

test("each timeline has its line, newest first", () => {
  const lines = draw([range(21, undefined)], [range(1, 21)]);
  expect(lines[0]).toMatch(/^timeline 2 {40,}#$/);
  expect(lines[1]).toMatch(/^timeline 1 #+$/);
});
