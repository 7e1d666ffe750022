import fc from "fast-check";
import { expect, test } from "vitest";
import { Belongings } from "./belongings.ts";

const number = fc.oneof(fc.nat({ max: 3 }), fc.integer({ min: 0, max: 0xff_ff_ff_ff }), fc.constant(0xff_ff_ff_ff));

test("whatever was added is found with its whole, and nothing else", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.record({ part: number, whole: number }), { maxLength: 600 }), { maxLength: 4 }),
      (rounds) => {
        const belongings = new Belongings();
        const expected: { part: number; whole: number }[] = [];
        for (const round of rounds) {
          for (const pair of round) belongings.add(pair);
          expected.push(...round);
          for (const { whole } of [...round, { whole: 2 }])
            expect([...belongings.partsOf(whole)]).toEqual(
              expected.flatMap((pair) => (pair.whole === whole ? [pair.part] : [])).toSorted((a, b) => a - b),
            );
        }
        expect(belongings.count).toBe(expected.length);
      },
    ),
    { numRuns: 30 },
  );
});
