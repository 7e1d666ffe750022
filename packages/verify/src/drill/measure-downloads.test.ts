import { createMemoryStore, readObject } from "@soar/storage";
import { expect, test } from "vitest";
import { measureDownloads } from "./measure-downloads.ts";

test("downloads side by side count once, and what was taken is not counted again", async () => {
  const memory = createMemoryStore();
  for (const key of ["a", "b"]) await memory.put(key, Buffer.alloc(10));
  let now = 0;
  const { store, take } = measureDownloads(memory, () => now);
  const [first, second] = [
    (await store.get("a"))[Symbol.asyncIterator](),
    (await store.get("b"))[Symbol.asyncIterator](),
  ];
  now = 5;
  while ((await first.next()).done !== true);
  now = 8;
  while ((await second.next()).done !== true);
  now = 20;
  expect(take()).toEqual({ bytes: 20, busyMs: 8, firstByteAt: 5 });
  expect(take()).toEqual({ bytes: 0, busyMs: 0, firstByteAt: undefined });
});

test("a download that failed or is still under way counts until now", async () => {
  const memory = createMemoryStore();
  await memory.put("a", Buffer.alloc(10));
  let now = 0;
  const { store, take } = measureDownloads(memory, () => now);
  await expect(readObject(store, "missing")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  const body = (await store.get("a"))[Symbol.asyncIterator]();
  now = 3;
  expect(take()).toMatchObject({ busyMs: 3 });
  now = 4;
  while ((await body.next()).done !== true);
  expect(take()).toMatchObject({ busyMs: 1, bytes: 10 });
});
