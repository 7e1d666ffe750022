import { createMemoryStore } from "@soar/storage";
import { expect, test } from "vitest";
import { findTimelineHistory, requireTimelineHistory } from "./timeline-files.ts";

const TEXT = "1\t0/5000148\tbefore 2025-01-10\n\n2\t0/9000028\tno recovery target specified\n";

test("the first timeline has no history, and is never looked for", async () => {
  const store = createMemoryStore();
  const blind = { ...store, stat: async () => Promise.reject(new Error("asked")) };
  expect(await findTimelineHistory(blind, 1)).toEqual({ timeline: 1, entries: [] });
});

test("a history is read from its bare object", async () => {
  const store = createMemoryStore();
  await store.put("wal/00000003.history", Buffer.from(TEXT));
  const history = await requireTimelineHistory(store, 3);
  expect(history.timeline).toBe(3);
  expect(history.entries.map(({ timeline, switchLsn }) => [timeline, switchLsn])).toEqual([
    [1, 0x5000148n],
    [2, 0x9000028n],
  ]);
});

test("one that is not there is undefined, or a named error with the command that helps", async () => {
  const store = createMemoryStore({ name: "m" });
  expect(await findTimelineHistory(store, 2)).toBeUndefined();
  await expect(requireTimelineHistory(store, 2)).rejects.toMatchObject({
    code: "WAL_MISSING",
    message: "unable to follow timeline 2: '00000002.history' is not in 'memory:m'",
    hint: expect.stringContaining("soar-wal-archive pg_wal/00000002.history 00000002.history"),
  });
});

test.each([
  ["holds something else", "<Error/>"],
  ["names a descendant as its ancestor", "7\t0/5000148\tx\n"],
])("one that %s is an error, not an absent history", async (_, text) => {
  const store = createMemoryStore();
  await store.put("wal/00000002.history", Buffer.from(text));
  await expect(findTimelineHistory(store, 2)).rejects.toMatchObject({ name: "SoarError" });
});

test("one that is far too large is damage, and is not read into memory", async () => {
  const store = createMemoryStore();
  await store.put("wal/00000002.history", Buffer.alloc(1024 * 1024 + 1, "1"));
  const unread = { ...store, get: async () => Promise.reject(new Error("it was read")) };
  await expect(findTimelineHistory(unread, 2)).rejects.toMatchObject({
    code: "REPOSITORY_DAMAGED",
    message: expect.stringContaining("it has 1048577 bytes"),
  });
});
