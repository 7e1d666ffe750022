import { randomBytes } from "node:crypto";
import { listTailPieces, readTail } from "@soar/repository/tail";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { describe, expect, test } from "vitest";
import { openSegmentTail, type SegmentTail } from "./segment-tail.ts";

const NAME = "000000010000000000000001";
const WAL = randomBytes(2 ** 20);

function open(store: ObjectStore): Promise<SegmentTail> {
  return openSegmentTail(store, {
    segmentName: NAME,
    segmentSize: 2 ** 20,
    systemIdentifier: "7",
    signal: new AbortController().signal,
  });
}

async function expectShipped(store: ObjectStore, length: number): Promise<void> {
  expect((await readTail(store, NAME))?.bytes.equals(WAL.subarray(0, length))).toBe(true);
}

/** A store that does something in the middle of every put, and then perhaps fails. */
function interrupted(store: ObjectStore, meanwhile: () => void): ObjectStore {
  const put: ObjectStore["put"] = async (...args) => {
    meanwhile();
    return store.put(...args);
  };
  return new Proxy(store, { get: (target, name) => (name === "put" ? put : Reflect.get(target, name, target)) });
}

describe("the tail of a segment", () => {
  test("what arrives while a piece is on its way goes with the next one", async () => {
    const store = createMemoryStore({ name: "tail" });
    let arrived = 0;
    const tail = await open(interrupted(store, () => arrive()));
    const arrive = (): void => {
      tail.push(WAL.subarray(arrived, arrived + 1_000));
      arrived += 1_000;
    };
    arrive();
    for (let n = 1; n <= 5; n += 1) {
      await tail.ship();
      expect([tail.shipped, tail.waiting, tail.position]).toEqual([n * 1_000, 1_000, (n + 1) * 1_000]);
      await expectShipped(store, n * 1_000);
    }
  });

  test("after a failed put the same bytes are sent again, with those that came since", async () => {
    const store = createMemoryStore({ name: "tail" });
    let isDown = true;
    const tail = await open(
      interrupted(store, () => {
        tail.push(WAL.subarray(tail.position, tail.position + 10));
        if (isDown) throw new Error("the provider is down");
      }),
    );
    tail.push(WAL.subarray(0, 100));
    await expect(tail.ship()).rejects.toThrow("the provider is down");
    await expect(tail.ship()).rejects.toThrow("the provider is down");
    expect([tail.shipped, tail.waiting]).toEqual([0, 120]);
    isDown = false;
    await tail.ship();
    expect((await listTailPieces(store, NAME)).map(({ from, to }) => [from, to])).toEqual([[0, 120]]);
    await expectShipped(store, 120);
  });

  test("a run that goes on after a consolidated piece does not put another one at once", async () => {
    const store = createMemoryStore({ name: "tail" });
    const first = await open(store);
    const ship = async (tail: SegmentTail): Promise<void> => {
      tail.push(WAL.subarray(tail.position, tail.position + 10));
      await tail.ship();
    };
    for (let n = 0; n < 66; n += 1) await ship(first);
    await first.idle();
    const second = await open(store);
    second.push(WAL.subarray(0, 660));
    for (let n = 0; n < 60; n += 1) await ship(second);
    await second.idle();
    const whole = (await listTailPieces(store, NAME)).filter(({ from }) => from === 0);
    expect(whole.map(({ to }) => to)).toEqual([10, 640]);
    await expectShipped(store, 1_260);
  });

  test("a consolidated piece goes beside the next ones, which commits may wait for; should it fail, the next shipment says so", async () => {
    const store = createMemoryStore({ name: "tail" });
    const gate = Promise.withResolvers<void>();
    const put: ObjectStore["put"] = async (key, ...rest) => {
      if (/\/00000000-(?!0000000A)/.test(key)) await gate.promise;
      return store.put(key, ...rest);
    };
    const tail = await open(
      new Proxy(store, { get: (target, name) => (name === "put" ? put : Reflect.get(target, name, target)) }),
    );
    const ship = (): Promise<unknown> => {
      tail.push(WAL.subarray(tail.position, tail.position + 10));
      return tail.ship();
    };
    for (let n = 0; n < 70; n += 1) await ship();
    expect(tail.shipped).toBe(700);
    await expectShipped(store, 700);
    gate.reject(new Error("the provider is down"));
    await tail.idle();
    await expect(ship()).rejects.toThrow("the provider is down");
  });

  test("bytes that an earlier run has sent count only when all of them have arrived and are the same", async () => {
    const store = createMemoryStore({ name: "tail" });
    const first = await open(store);
    first.push(WAL.subarray(0, 500));
    await first.ship();
    const second = await open(store);
    second.push(WAL.subarray(0, 499));
    expect([second.shipped, second.waiting]).toEqual([0, 0]);
    second.push(WAL.subarray(499, 600));
    expect([second.shipped, second.waiting]).toEqual([500, 100]);
    const other = await open(store);
    other.push(Buffer.concat([WAL.subarray(0, 498), Buffer.from([0])]));
    expect(() => other.push(Buffer.from([1]))).toThrow(expect.objectContaining({ code: "WAL_CONFLICT" }));
    expect(other.shipped).toBe(0);
  });
});
