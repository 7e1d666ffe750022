import { SoarError } from "@soar/errors";
import { type CallOptions, createMemoryStore, type ObjectStore } from "@soar/storage";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { holdLease, type HeldLease, type LeaseTerms } from "./hold-lease.ts";
import { listLeases } from "./marker-records.ts";

const HOUR_MS = 3600_000;
const BEGIN = Date.parse("2025-01-06T04:00:00Z");

let store: ObjectStore;
/** What the clock shows; it goes with the timers. */
let now: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  store = createMemoryStore();
  now = BEGIN;
});
afterEach(() => vi.useRealTimers());

const hold = (target = store): Promise<HeldLease> =>
  holdLease(target, { purpose: "verify", host: "db1", labels: ["2025-01-05"] }, { now: () => new Date(now) });

/** Lets time pass, and what it brought about end. */
async function pass(ms: number): Promise<void> {
  const until = now + ms;
  for (; now < until; now += HOUR_MS / 4) {
    vi.advanceTimersByTime(HOUR_MS / 4);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const expiries = async (): Promise<string[]> => (await listLeases(store)).map(({ expiresAt }) => expiresAt);

test("a lease is renewed long before it lapses, for as long as it is held, and there is never more than one", async () => {
  const lease = await hold();
  expect(await expiries()).toEqual(["2025-01-06T06:00:00.000Z"]);
  for (let hours = 1; hours <= 12; hours += 1) {
    await pass(HOUR_MS);
    const [expiresAt, ...more] = await expiries();
    expect(more).toEqual([]);
    expect(Date.parse(expiresAt ?? "") - now).toBeGreaterThanOrEqual(HOUR_MS);
  }
  await lease.release();
  expect(lease.refusal()).toBeUndefined();
  expect(await expiries()).toEqual([]);
  await pass(12 * HOUR_MS);
  expect(await expiries()).toEqual([]);
});

test("a reader whose clock is behind holds a lease for as long as one whose clock is right", async () => {
  const { features } = store;
  const ahead = { ...store, features: { ...features, clock: () => new Date(now + 5 * HOUR_MS) } };
  const lease = await hold(ahead);
  expect(await expiries()).toEqual(["2025-01-06T11:00:00.000Z"]);
  await lease.release();
});

test("a renewal that fails is told, and made up for when the store is back", async () => {
  let failure: SoarError | undefined;
  const failing: ObjectStore = {
    ...store,
    async put(...given) {
      if (failure !== undefined) throw failure;
      return store.put(...given);
    },
  };
  const lease = await hold(failing);
  failure = new SoarError("STORE_UNREACHABLE", "nothing listens there");
  await pass(1.5 * HOUR_MS);
  expect(lease.refusal()).toBe("nothing listens there");
  expect(await expiries()).toEqual(["2025-01-06T06:00:00.000Z"]);
  failure = undefined;
  await pass(HOUR_MS / 4);
  await pass(HOUR_MS / 4);
  expect(lease.refusal()).toBeUndefined();
  expect((await expiries()).map((expiresAt) => Date.parse(expiresAt) - now)).toEqual([1.75 * HOUR_MS]);
  await lease.release();
  expect(await expiries()).toEqual([]);
});

test("where the key may not write, nothing is asked of it again", async () => {
  let puts = 0;
  const lease = await hold({ ...store, put: () => Promise.reject(new SoarError("STORE_DENIED", `denied ${++puts}`)) });
  await pass(3 * HOUR_MS);
  expect(lease.refusal()).toBe("denied 1");
  await lease.release();
});

test("a store that does not answer is no reason to read without a lease", async () => {
  const silent: ObjectStore = {
    ...store,
    put: () => Promise.reject(new SoarError("STORE_UNREACHABLE", "nothing listens there")),
  };
  await expect(hold(silent)).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
});

test("a lease that cannot be given back lapses by itself, but a bug on the way is not passed over", async () => {
  const keeping: ObjectStore = {
    ...store,
    remove: () => Promise.reject(new SoarError("OBJECT_LOCKED", "it is protected until tomorrow")),
  };
  await (await hold(keeping)).release();
  expect(await expiries()).toEqual(["2025-01-06T06:00:00.000Z"]);
  const broken: ObjectStore = { ...store, remove: () => Promise.reject(new TypeError("keys is not iterable")) };
  await expect((await hold(broken)).release()).rejects.toThrow(TypeError);
});

/** Says nothing until the call is given up. */
async function silence({ signal = AbortSignal.abort() }: CallOptions = {}): Promise<never> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  throw new SoarError("ABORTED", "the call was aborted");
}

test.each(["remove", "put"] as const)(
  "a store that says nothing to the %s of a lease does not keep its holder, who was stopped, from ending",
  async (operation) => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
    let isSilent = false;
    const falling: ObjectStore = {
      ...store,
      remove: (keys, options) => (isSilent && operation === "remove" ? silence(options) : store.remove(keys, options)),
      put: (key, body, options) => (isSilent && operation === "put" ? silence(options) : store.put(key, body, options)),
    };
    const { signal } = new AbortController();
    const terms: LeaseTerms = { purpose: "verify", host: "db1", labels: [] };
    const lease = await holdLease(falling, terms, { now: () => new Date(now), signal });
    isSilent = true;
    // Long enough for a renewal to be under way.
    await pass(0.75 * HOUR_MS);
    let hasEnded = false;
    const releasing = lease.release().then(() => (hasEnded = true));
    await vi.advanceTimersByTimeAsync(9_000);
    expect(hasEnded).toBe(false);
    await vi.advanceTimersByTimeAsync(2_000);
    await releasing;
  },
);
