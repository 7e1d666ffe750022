import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLOCK_TOLERANCE_MS } from "./proved-time.ts";
import { compareClocks, steadyClock } from "./steady-clock.ts";

const DAY_MS = 86_400_000;
const noon = new Date("2025-06-01T12:00:00Z");

describe("the clock of one run", () => {
  test("goes with the time that passes, wherever the machine's clock is set meanwhile", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ passes: fc.nat(DAY_MS), jumps: fc.integer({ min: -400 * DAY_MS, max: 400 * DAY_MS }) })),
        (steps) => {
          let [passed, offset] = [0, 0];
          const { now, jump } = steadyClock(
            () => new Date(noon.getTime() + passed + offset),
            () => passed,
          );
          for (const { passes, jumps } of steps) {
            passed += passes;
            offset += jumps;
            expect(now().getTime()).toBe(noon.getTime() + passed);
            expect(jump() === undefined).toBe(Math.abs(offset) <= CLOCK_TOLERANCE_MS);
          }
        },
      ),
    );
  });

  test("says in which direction the machine's clock was set, and how far", () => {
    let machine = noon;
    const { jump } = steadyClock(
      () => machine,
      () => 0,
    );
    machine = new Date(noon.getTime() + 400 * DAY_MS);
    expect(jump()).toBe("this machine's clock was set 400 days ahead, or the machine slept, while this ran");
    machine = new Date(noon.getTime() - 3 * 3_600_000);
    expect(jump()).toBe("this machine's clock was set 3 hours back while this ran");
  });

  test("is the real one unless said otherwise", () => {
    const { now, jump } = steadyClock(() => new Date());
    expect(Math.abs(now().getTime() - Date.now())).toBeLessThan(1000);
    expect(jump()).toBeUndefined();
  });
});

test("clocks of others that differ by more than minutes are named, with both times", () => {
  const at = (days: number) => ({
    name: "the store's clock",
    clock: noon,
    at: new Date(noon.getTime() + days * DAY_MS),
  });
  expect(compareClocks([at(0), at(0.01)])).toEqual([]);
  expect(compareClocks([at(400), at(-3)])).toEqual([
    "the store's clock was 400 days ahead of this machine's (2026-07-06T12:00:00.000Z and 2025-06-01T12:00:00.000Z)",
    "the store's clock was 3 days behind this machine's (2025-05-29T12:00:00.000Z and 2025-06-01T12:00:00.000Z)",
  ]);
});
