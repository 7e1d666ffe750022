import { hasErrorCode } from "@soar/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { mapOrdered } from "./map-ordered.ts";

async function* each<Item>(items: Iterable<Item>, onEnd?: () => void): AsyncGenerator<Item> {
  try {
    for (const item of items) yield await Promise.resolve(item);
  } finally {
    onEnd?.();
  }
}

/** Finishes after a number of turns of the event loop, so that results come out of order without waiting for a clock. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function collect<Item>(source: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of source) items.push(item);
  return items;
}

test("yields results in the order of the items, never more in work or waiting than allowed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(4)),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 1, max: 8 }),
      async (items, maxItems, maxWaiting, maxWeight) => {
        const inWork: number[] = [];
        let [taken, yielded] = [0, 0];
        const work = async (item: number): Promise<number> => {
          inWork.push(item);
          expect(inWork.length).toBeLessThanOrEqual(maxItems);
          expect(++taken - yielded).toBeLessThanOrEqual(maxItems + maxWaiting);
          expect(inWork.slice(0, -1).reduce((sum, weight) => sum + weight, 0)).toBeLessThan(maxWeight);
          await turns(item);
          inWork.splice(inWork.indexOf(item), 1);
          return item * 10;
        };
        const results: number[] = [];
        const limits = { maxItems, maxWaiting, maxWeight, weigh: (item: number) => item };
        for await (const result of mapOrdered(each(items), work, limits)) {
          yielded++;
          results.push(result);
        }
        expect(results).toEqual(items.map((item) => item * 10));
      },
    ),
    { numRuns: 60 },
  );
});

test("a slow item holds up the others only when nothing may wait for its turn", async () => {
  const finishedBeforeFirst = async (maxWaiting: number | undefined): Promise<number> => {
    let finished = 0;
    const slow = Promise.withResolvers<number>();
    const work = async (item: number): Promise<number> => {
      if (item === 0) return await slow.promise;
      await turns(1);
      return ++finished;
    };
    const results = collect(mapOrdered(each(Array(20).keys()), work, { maxItems: 2, maxWaiting }));
    await turns(200);
    const before = finished;
    slow.resolve(0);
    expect((await results).length).toBe(20);
    return before;
  };
  expect(await finishedBeforeFirst(undefined)).toBe(1);
  expect(await finishedBeforeFirst(5)).toBe(6);
  expect(await finishedBeforeFirst(100)).toBe(19);
});

test("waits for what is in work and closes the source when one item fails", async () => {
  let sourceEnded = false;
  let finished = 0;
  const work = async (item: number, signal: AbortSignal): Promise<number> => {
    if (item === 2) throw new Error("the third fails");
    await turns(5);
    finished++;
    if (item > 2) expect(signal.aborted).toBe(true);
    return item;
  };
  const run = collect(
    mapOrdered(
      each(Array(100).keys(), () => (sourceEnded = true)),
      work,
      { maxItems: 4 },
    ),
  );
  await expect(run).rejects.toThrow("the third fails");
  expect(sourceEnded).toBe(true);
  expect(finished).toBeGreaterThanOrEqual(3);
});

test("closes the source when the consumer stops", async () => {
  let sourceEnded = false;
  for await (const item of mapOrdered(
    each([1, 2, 3], () => (sourceEnded = true)),
    async (value) => value,
    { maxItems: 1 },
  )) {
    expect(item).toBe(1);
    break;
  }
  expect(sourceEnded).toBe(true);
});

test("throws what the source throws", async () => {
  async function* broken(): AsyncGenerator<number> {
    yield await Promise.resolve(1);
    throw new Error("the source broke");
  }
  await expect(collect(mapOrdered(broken(), async (value) => value, { maxItems: 3 }))).rejects.toThrow(
    "the source broke",
  );
});

test("ends with ABORTED, or the caller's own reason, when the signal aborts", async () => {
  const controller = new AbortController();
  const work = async (item: number): Promise<number> => {
    if (item === 3) controller.abort();
    return item;
  };
  const failure = await collect(
    mapOrdered(each([1, 2, 3, 4, 5, 6]), work, { maxItems: 1, signal: controller.signal }),
  ).catch((error: unknown) => error);
  expect(hasErrorCode(failure, "ABORTED")).toBe(true);
});

test("does not wait for a stuck source when an item fails, if told to abandon it", async () => {
  async function* stuck(): AsyncGenerator<number> {
    yield 1;
    await new Promise(() => undefined);
  }
  const work = async (): Promise<number> => {
    await turns(2);
    throw new Error("failed while the source is stuck");
  };
  await expect(collect(mapOrdered(stuck(), work, { maxItems: 5, abandonSource: true }))).rejects.toThrow(
    "failed while the source is stuck",
  );
});
