import { createHash } from "node:crypto";
import { listTailSegments, putTailPiece } from "@soar/repository/tail";
import { SoarError } from "@soar/errors";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { expect, test } from "vitest";
import { createTailCleaner, type TailCleaner } from "./tail-cleaner.ts";

const [FULL, CURRENT] = ["000000010000000000000001", "000000010000000000000002"];

test("a piece that arrives after its segment was archived goes too; those of the unfinished segment stay", async () => {
  const store = createMemoryStore({ name: "cleaner" });
  const put = (segmentName: string, from: number): Promise<unknown> =>
    putTailPiece(store, {
      segmentName,
      from,
      bytes: Buffer.alloc(10),
      sha256: createHash("sha256").digest("hex"),
      systemIdentifier: "7",
    });
  const cleaner = createTailCleaner(store, {
    signal: new AbortController().signal,
    onFailure: (_, error) => expect.fail(String(error)),
  });
  await put(FULL, 0);
  await put(CURRENT, 0);
  cleaner.shipped(CURRENT);
  cleaner.archived(FULL);
  await cleaner.idle();
  expect(await listTailSegments(store)).toEqual([CURRENT]);
  await put(FULL, 10);
  cleaner.shipped(FULL);
  await cleaner.idle();
  expect(await listTailSegments(store)).toEqual([CURRENT]);
});

const PIECE = { from: 0, bytes: Buffer.alloc(10), sha256: createHash("sha256").digest("hex"), systemIdentifier: "7" };

interface Refusing {
  readonly store: ObjectStore;
  readonly cleaner: TailCleaner;
  /** Code of the answer to a removal of this key; undefined to take it. */
  answer: (key: string) => "STORE_DENIED" | "OBJECT_LOCKED" | undefined;
  /** Milliseconds of the cleaner's clock. */
  clock: number;
  asked: number;
  /** Listings so far. */
  listed: number;
}

/** A bucket that holds WAL and tails of these segments, and whose removals are refused. */
async function createRefusing(...names: readonly string[]): Promise<Refusing> {
  const store = createMemoryStore({ name: "locked" });
  for (const segmentName of names) {
    await store.put(`wal/${segmentName}`, Buffer.alloc(1));
    await putTailPiece(store, { ...PIECE, segmentName });
  }
  const locked: ObjectStore = {
    ...store,
    list(prefix, options) {
      world.listed += 1;
      return store.list(prefix, options);
    },
    async remove(keys, options) {
      world.asked += 1;
      const code = world.answer(keys[0] ?? "");
      if (code !== undefined) throw new SoarError(code, "no");
      await store.remove(keys, options);
    },
  };
  const cleaner = createTailCleaner(locked, {
    signal: new AbortController().signal,
    onFailure: (_, error) => expect.fail(String(error)),
    now: () => world.clock,
  });
  const world: Refusing = { store, cleaner, answer: () => "STORE_DENIED", clock: 0, asked: 0, listed: 0 };
  return world;
}

test.each([
  ["STORE_DENIED", "denied"],
  ["OBJECT_LOCKED", "locked"],
] as const)("%s is found out once, and leaves the tails", async (code, refusal) => {
  const world = await createRefusing(FULL, CURRENT);
  const { store, cleaner } = world;
  world.answer = () => code;
  expect(cleaner.refusal).toBeUndefined();
  cleaner.archived(FULL);
  cleaner.archived(CURRENT);
  await cleaner.idle();
  expect(cleaner.refusal).toBe(refusal);
  expect(world.asked).toBe(1);
  expect(await listTailSegments(store)).toEqual([FULL, CURRENT]);
});

test("a key that may delete again removes all that stayed, and is told no more", async () => {
  const world = await createRefusing(FULL, CURRENT);
  const { store, cleaner } = world;
  cleaner.archived(FULL);
  await cleaner.idle();
  world.answer = () => undefined;
  world.clock = 3_599_999;
  cleaner.archived(CURRENT);
  await cleaner.idle();
  expect([cleaner.refusal, world.asked]).toEqual(["denied", 1]);
  world.clock = 3_600_000;
  cleaner.archived("000000010000000000000003");
  await cleaner.idle();
  expect(cleaner.refusal).toBeUndefined();
  expect(await listTailSegments(store)).toEqual([]);
});

test("a key that still may not delete is asked once an hour, and not for every tail", async () => {
  const world = await createRefusing(FULL, CURRENT);
  const { cleaner } = world;
  for (let minute = 0; minute < 180; minute += 1) {
    world.clock = minute * 60_000;
    cleaner.archived(FULL);
    await cleaner.idle();
  }
  expect([cleaner.refusal, world.asked]).toEqual(["denied", 3]);
});

test("a tail that retention protects keeps no other one", async () => {
  const world = await createRefusing(FULL, CURRENT);
  const { store, cleaner } = world;
  world.answer = (key) => (key.includes(FULL) ? "OBJECT_LOCKED" : undefined);
  cleaner.sweep();
  await cleaner.idle();
  expect(await listTailSegments(store)).toEqual([FULL]);
  expect(cleaner.refusal).toBeUndefined();
});

test("where retention protects all, a sweep tries some and ends", async () => {
  const names = Array.from({ length: 20 }, (_, at) => `0000000100000000000000${(16 + at).toString(16)}`.toUpperCase());
  const world = await createRefusing(...names);
  world.answer = () => "OBJECT_LOCKED";
  world.cleaner.sweep();
  await world.cleaner.idle();
  expect([world.cleaner.refusal, world.asked]).toEqual(["locked", 8]);
});

const MANY = Array.from({ length: 40 }, (_, at) => `0000000100000000000000${(16 + at).toString(16)}`.toUpperCase());

test("a key that may not delete costs no listing of all that stayed, hour after hour", async () => {
  const world = await createRefusing(...MANY);
  const newest = MANY.at(-1) ?? "";
  world.cleaner.archived(newest);
  await world.cleaner.idle();
  const before = world.listed;
  for (let hour = 1; hour <= 5; hour += 1) {
    world.clock = hour * 3_600_000;
    world.cleaner.archived(newest);
    await world.cleaner.idle();
  }
  expect(world.asked).toBe(6);
  // Each asks for the pieces of the one segment.
  expect(world.listed - before).toBe(5);
});

test("tails that retention protects for longer than all others keep nobody waiting for ever", async () => {
  const world = await createRefusing(...MANY);
  const held = new Set(MANY.slice(0, 20));
  world.answer = (key) => ([...held].some((name) => key.includes(name)) ? "OBJECT_LOCKED" : undefined);
  for (let hour = 0; hour < 5; hour += 1) {
    world.clock = hour * 3_600_000;
    world.cleaner.sweep();
    await world.cleaner.idle();
  }
  expect(await listTailSegments(world.store)).toEqual([...held]);
});

test("an empty tail proves no right to delete", async () => {
  const world = await createRefusing(FULL);
  world.cleaner.archived(FULL);
  await world.cleaner.idle();
  world.clock = 3_600_000;
  await world.store.remove(await keysBelow(world.store, "tail/"));
  world.cleaner.archived(CURRENT);
  await world.cleaner.idle();
  expect(world.cleaner.refusal).toBe("denied");
});

async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}
