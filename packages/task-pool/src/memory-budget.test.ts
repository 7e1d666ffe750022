import { hasErrorCode } from "@soar/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryBudget, type MemoryShare } from "./memory-budget.ts";

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test("never gives out more than there is, in order of arrival, and leaves nobody behind", async () => {
  const works = fc.array(fc.record({ bytes: fc.nat(150), shrunk: fc.nat(150), takes: fc.nat(3) }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(works, async (all) => {
      const budget = new MemoryBudget(100);
      const order: number[] = [];
      let held = 0;
      await Promise.all(
        all.map(async ({ bytes, shrunk, takes }, index) => {
          using share = await budget.take(bytes, undefined);
          order.push(index);
          let own = Math.min(bytes, 100);
          held += own;
          expect(held).toBeLessThanOrEqual(100);
          await turns(takes);
          held -= Math.max(0, own - shrunk);
          own = Math.min(own, shrunk);
          share.shrinkTo(shrunk);
          await turns(takes);
          held -= own;
        }),
      );
      expect(order).toEqual(all.map((_, index) => index));
    }),
  );
});

test("one that needs more than there is gets it alone", async () => {
  const budget = new MemoryBudget(100);
  const small = await budget.take(1, undefined);
  let large: MemoryShare | undefined;
  const taken = budget.take(1000, undefined).then((share) => (large = share));
  await turns(3);
  expect(large).toBeUndefined();
  small[Symbol.dispose]();
  await taken;
  const next = budget.take(1, undefined);
  large?.[Symbol.dispose]();
  // Given back twice is given back once.
  large?.[Symbol.dispose]();
  await next;
});

test("one that is stopped while it waits holds nothing, and lets the next one in", async () => {
  const budget = new MemoryBudget(100);
  const first = await budget.take(60, undefined);
  const stop = new AbortController();
  const stopped = budget.take(60, stop.signal);
  const behind = budget.take(40, undefined);
  stop.abort();
  expect(hasErrorCode(await stopped.catch((error: unknown) => error), "ABORTED")).toBe(true);
  await behind;
  first[Symbol.dispose]();
  expect(hasErrorCode(await budget.take(1, stop.signal).catch((error: unknown) => error), "ABORTED")).toBe(true);
});
