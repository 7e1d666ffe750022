import fc from "fast-check";
import { expect, test } from "vitest";
import { chooseSample, type Unit } from "./choose-sample.ts";
import { NOTHING_READ } from "./read-memory.ts";

const DAY_MS = 86_400_000;

/** A bucket that grows by `arrivals` units a run and loses what is older than `lifetime` runs. */
function simulate({
  share,
  arrivals,
  lifetime,
  runs,
}: {
  readonly share: number;
  readonly arrivals: number;
  readonly lifetime: number;
  readonly runs: number;
}): number {
  const memory = new Map<string, number>();
  let units: Unit[] = [];
  let longest = 0;
  for (let run = 0; run < runs; run += 1) {
    const now = new Date((run + 1) * DAY_MS);
    units = [
      ...units.filter(({ storedAt }) => now.getTime() - storedAt.getTime() <= lifetime * DAY_MS),
      ...Array.from({ length: arrivals }, (_, at) => ({ name: `${run}/${at}`, bytes: 10 + at, storedAt: now })),
    ];
    const chosen = chooseSample(units, { ...NOTHING_READ, lastRead: (name) => memory.get(name) }, { share, now });
    for (const { name } of chosen) memory.set(name, now.getTime());
    for (const { name, storedAt } of units)
      longest = Math.max(longest, (now.getTime() - Math.max(memory.get(name) ?? 0, storedAt.getTime())) / DAY_MS);
  }
  return longest;
}

test("no byte waits for longer than 1 / share runs, whatever is added and expires meanwhile", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 34 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 60 }),
      (cycle, arrivals, lifetime) => {
        expect(simulate({ share: 1 / cycle, arrivals, lifetime, runs: 120 })).toBeLessThanOrEqual(cycle);
      },
    ),
    { numRuns: 30 },
  );
});

test("takes the least that makes up the share, and all that waited too long", () => {
  const unit = (name: string, daysAgo: number): Unit => ({
    name,
    bytes: 10,
    storedAt: new Date((100 - daysAgo) * DAY_MS),
  });
  const units = [unit("a", 1), unit("b", 30), unit("c", 5), unit("d", 25)];
  const now = new Date(100 * DAY_MS);
  const names = (
    rules: { share: number; longestMs?: number },
    lastRead: (name: string) => number | undefined = () => undefined,
  ) => chooseSample(units, { ...NOTHING_READ, lastRead }, { ...rules, now }).map(({ name }) => name);
  expect(names({ share: 0.25 })).toEqual(["b"]);
  expect(names({ share: 0.01 })).toEqual(["b"]);
  expect(names({ share: 0.3 })).toEqual(["b", "d"]);
  expect(names({ share: 1 })).toEqual(["b", "d", "c", "a"]);
  expect(names({ share: 0.01, longestMs: 23 * DAY_MS })).toEqual(["b", "d"]);
  expect(names({ share: 0.25 }, (name) => (name === "b" ? now.getTime() : undefined))).toEqual(["d"]);
});

test("what was found damaged is read every time, and takes nothing from the share of the others", () => {
  const now = new Date(100 * DAY_MS);
  const units = ["a", "b", "c", "d"].map((name, at): Unit => ({
    name,
    bytes: 10,
    storedAt: new Date((90 + at) * DAY_MS),
  }));
  const memory = { ...NOTHING_READ, isDamaged: (name: string) => name === "c" || name === "d" };
  expect(chooseSample(units, memory, { share: 0.25, now }).map(({ name }) => name)).toEqual(["c", "d", "a"]);
});
