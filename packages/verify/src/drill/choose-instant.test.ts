import type { RecoveryWindow } from "@soar/repository/window";
import { expect, test } from "vitest";
import { chooseInstant } from "./choose-instant.ts";

const range = (from: string, to: string | undefined) => ({
  from,
  to,
  fromLsn: "0/1",
  toLsn: "0/2",
  backups: [],
  hole: undefined,
});
const window: RecoveryWindow = {
  gaps: [],
  unreadable: [],
  timelines: [
    {
      timeline: 2,
      parent: { timeline: 1, switchLsn: "0/5" },
      unusable: [],
      ranges: [range("2026-01-20T00:00:00Z", undefined)],
    },
    {
      timeline: 1,
      parent: undefined,
      unusable: [],
      ranges: [
        range("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        range("2026-01-05T00:00:00Z", "2026-01-08T00:00:00Z"),
      ],
    },
  ],
};
const MICROS = (text: string) => BigInt(Date.parse(text)) * 1000n;

test("instants lie in the ranges, never in a hole, and in longer ranges more often", () => {
  const drawn = Array.from({ length: 400 }, (_, draw) => chooseInstant(window, { seed: 1, draw }));
  for (const { micros, timeline } of drawn) {
    expect(timeline).toBe(1);
    const isIn = (from: string, to: string): boolean => micros >= MICROS(from) && micros < MICROS(to);
    expect(
      isIn("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z") || isIn("2026-01-05T00:00:00Z", "2026-01-08T00:00:00Z"),
      String(micros),
    ).toBe(true);
  }
  const late = drawn.filter(({ micros }) => micros > MICROS("2026-01-04T00:00:00Z")).length;
  expect(late).toBeGreaterThan(260);
  expect(late).toBeLessThan(340);
});

test("the same seed chooses the same instants, another one others", () => {
  const draws = (seed: number) => [0, 1, 2].map((draw) => chooseInstant(window, { seed, draw }).micros);
  expect(draws(7)).toEqual(draws(7));
  expect(draws(7)).not.toEqual(draws(8));
  expect(new Set(draws(7)).size).toBe(3);
});

test("a window without a commit behind a backup has no instant", () => {
  const bare = {
    gaps: [],
    unreadable: [],
    timelines: [{ timeline: 1, parent: undefined, unusable: [], ranges: [range("2026-01-20T00:00:00Z", undefined)] }],
  };
  expect(() => chooseInstant(bare, { seed: 1, draw: 0 })).toThrow(
    expect.objectContaining({ code: "TARGET_UNREACHABLE" }),
  );
});
