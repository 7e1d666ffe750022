import fc from "fast-check";
import { expect, test } from "vitest";
import { createFakeClock } from "../../test/fake-clock.ts";
import { createMemoryStore } from "../drivers/memory.ts";
import { readObject } from "../read-object.ts";
import { createTokenBucket } from "./token-bucket.ts";
import { withThrottle } from "./with-throttle.ts";

test("never lets more pass than the rate, one second's worth and the last piece", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(5000), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 2000 }),
      async (amounts, rate) => {
        const clock = createFakeClock();
        const bucket = createTokenBucket(rate, clock);
        let passed = 0;
        for (const amount of amounts) {
          await bucket.take(amount, undefined);
          expect(passed, "bytes before this piece").toBeLessThanOrEqual(rate + (clock.now() / 1000) * rate + 1e-6);
          passed += amount;
        }
      },
    ),
  );
});

test("does not save up more than a second", async () => {
  const clock = createFakeClock();
  const bucket = createTokenBucket(100, clock);
  clock.advance(3600_000);
  await bucket.take(200, undefined);
  await bucket.take(1, undefined);
  expect(clock.sleeps).toEqual([1000]);
});

test("serves callers in the order in which they came", async () => {
  const clock = createFakeClock();
  const bucket = createTokenBucket(10, clock);
  const order: number[] = [];
  await Promise.all([30, 1, 20].map((amount, index) => bucket.take(amount, undefined).then(() => order.push(index))));
  expect(order).toEqual([0, 1, 2]);
});

test("lets the next caller through when one gave up", async () => {
  const bucket = createTokenBucket(10, createFakeClock());
  await bucket.take(100, undefined);
  await expect(bucket.take(1, AbortSignal.abort())).rejects.toThrow("aborted");
  await bucket.take(1, undefined);
});

test.each([0, -1, NaN])("takes a rate of %d for a bug", (rate) => {
  expect(() => createTokenBucket(rate)).toThrow(RangeError);
});

test("withThrottle counts bodies up and down separately, and parts too", async () => {
  const clock = createFakeClock();
  const store = withThrottle(createMemoryStore(), { bytesPerSecond: 1000, clock });
  await store.put("a", Buffer.alloc(3000));
  expect(clock.now()).toBe(0);
  await readObject(store, "a");
  expect(clock.now(), "down has a limit of its own").toBe(0);
  const upload = await store.beginMultipart("b", { partSize: 1000 });
  await upload.putPart(1, Buffer.alloc(1000));
  expect(clock.now(), "the debt of the put is paid first").toBe(2000);
  await upload.complete();
  await readObject(store, "a");
  await readObject(store, "a");
  expect(clock.now()).toBe(5000);
});

test("withThrottle rejects with ABORTED while it waits", async () => {
  const clock = createFakeClock();
  const store = withThrottle(createMemoryStore(), { bytesPerSecond: 10, clock });
  await store.put("a", Buffer.alloc(100));
  await expect(store.put("b", Buffer.alloc(1), { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: "ABORTED",
  });
  expect(await store.stat("b")).toBeUndefined();
});
