import { SoarError } from "@soar/errors";
import { describe, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "../../test/fake-clock.ts";
import { createMemoryStore } from "../drivers/memory.ts";
import type { ObjectStore } from "../object-store.ts";
import type { StoreEvent } from "../store-event.ts";
import { type Fault, withFault } from "../testing/faulty-store.ts";
import type { RetryOptions } from "./retry-policy.ts";
import { withRetry } from "./with-retry.ts";

interface Prepared {
  readonly store: ObjectStore;
  readonly clock: FakeClock;
  readonly events: StoreEvent[];
}

function prepare(fault: Fault, options: RetryOptions = {}): Prepared {
  const clock = createFakeClock();
  const events: StoreEvent[] = [];
  const store = withRetry(withFault(createMemoryStore(), fault), {
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { store, clock, events };
}

const ALWAYS: Fault = { atCall: 1, when: "before", times: Infinity };

describe("pauses", () => {
  test("double up to their bound, and are drawn from the whole of it", async () => {
    const { store, clock } = prepare({ ...ALWAYS, times: 7 }, { baseDelayMs: 100, maxDelayMs: 1500 });
    await store.put("a", Buffer.from("x"));
    expect(clock.sleeps).toEqual([50, 100, 200, 400, 750, 750, 750]);
  });

  test("may be nothing at all: jitter is full", async () => {
    const { store, clock } = prepare({ ...ALWAYS, times: 2 }, { random: () => 0 });
    await store.stat("a");
    expect(clock.sleeps).toEqual([0, 0]);
  });

  test("end at once with ABORTED when the caller gives up", async () => {
    const controller = new AbortController();
    const { store } = prepare(ALWAYS, { onEvent: () => controller.abort() });
    await expect(store.stat("a", { signal: controller.signal })).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("the deadline", () => {
  test("ends the attempts before it passes, keeps code and hint, and says how many there were", async () => {
    const error = (): Error => new SoarError("STORE_BUSY", "unable to look at 'a': busy", { hint: "Come back." });
    const { store, clock, events } = prepare(
      { ...ALWAYS, error },
      { deadlineMs: 10_000, baseDelayMs: 1000, maxDelayMs: 60_000 },
    );
    await expect(store.stat("a")).rejects.toMatchObject({
      code: "STORE_BUSY",
      message: "unable to look at 'a': busy (gave up after 5 attempts within 10 s)",
      hint: "Come back.",
      retryable: false,
    });
    expect(clock.sleeps).toEqual([500, 1000, 2000, 4000]);
    expect(clock.now()).toBeLessThanOrEqual(10_000);
    expect(events.map(({ type }) => type)).toEqual(["retry", "retry", "retry", "retry", "gave-up"]);
  });

  test("begins again for a body with every byte that arrives", async () => {
    const clock = createFakeClock();
    const memory = createMemoryStore();
    const body = Buffer.alloc(1024 * 1024, 3);
    await memory.put("a", body);
    // Every chunk but the first of each attempt fails: progress is slow, but there is some.
    const stingy: ObjectStore = {
      ...memory,
      async get(key, options) {
        const opened = await memory.get(key, options);
        return {
          ...opened,
          async *[Symbol.asyncIterator]() {
            for await (const chunk of opened) {
              yield chunk;
              if (chunk.byteLength < opened.length) throw new SoarError("OBJECT_SHORT", "cut");
            }
          },
        };
      },
    };
    const store = withRetry(stingy, { clock, random: () => 0.9, baseDelayMs: 1000, deadlineMs: 2000 });
    let received = 0;
    for await (const chunk of await store.get("a")) received += chunk.byteLength;
    expect(received).toBe(body.byteLength);
    expect(clock.now(), "far more than the deadline in all").toBeGreaterThan(10_000);
  });
});

describe("what is not repeated", () => {
  test.each(["STORE_DENIED", "OBJECT_EXISTS", "BUCKET_MISSING", "STORE_QUOTA"] as const)("%s", async (code) => {
    const { store, events } = prepare({ ...ALWAYS, error: () => new SoarError(code, "no") });
    await expect(store.put("a", Buffer.from("x"))).rejects.toMatchObject({ code, message: "no" });
    expect(events).toEqual([]);
  });

  test("bugs", async () => {
    const { store, events } = prepare({ ...ALWAYS, error: () => new TypeError("x is not a function") });
    await expect(store.put("a", Buffer.from("x"))).rejects.toThrow(TypeError);
    expect(events).toEqual([]);
  });
});

test("each attempt is reported with operation, key, number and pause", async () => {
  const { store, events } = prepare({ ...ALWAYS, times: 1 }, { baseDelayMs: 100 });
  await store.put("some/key", Buffer.from("x"));
  expect(events).toEqual([
    { type: "retry", operation: "put", key: "some/key", attempt: 1, delayMs: 50, error: expect.any(SoarError) },
  ]);
});

test("a body that was replaced meanwhile is not continued, and its new connection is given up", async () => {
  const memory = createMemoryStore();
  await memory.put("a", Buffer.alloc(200_000, 1));
  const signals: (AbortSignal | undefined)[] = [];
  const spying: ObjectStore = {
    ...memory,
    async get(key, options) {
      signals.push(options?.signal);
      return await memory.get(key, options);
    },
  };
  const store = withRetry(withFault(spying, { atCall: 3, when: "before" }), { clock: createFakeClock() });
  const body = await store.get("a");
  await memory.put("a", Buffer.alloc(200_000, 2));
  const read = async (): Promise<void> => {
    for await (const chunk of body) expect(chunk[0]).toBe(1);
  };
  await expect(read()).rejects.toMatchObject({ code: "STORE_PROTOCOL" });
  expect(signals).toHaveLength(2);
  expect(signals[1]?.aborted).toBe(true);
});

test("listens to the caller only as long as a call lasts", async () => {
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  const store = withRetry(createMemoryStore());
  await store.put("a", Buffer.alloc(100_000), { signal });
  for await (const chunk of await store.get("a", { signal })) expect(chunk.byteLength).toBeGreaterThan(0);
  expect(listeners).toBe(0);
});
