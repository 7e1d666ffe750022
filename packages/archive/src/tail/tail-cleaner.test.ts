import { createHash } from "node:crypto";
import { listTailSegments, putTailPiece } from "@soar/repository/tail";
import { SoarError } from "@soar/errors";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { expect, test } from "vitest";
import { createTailCleaner } from "./tail-cleaner.ts";

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

test("a key that may not delete is found out once, and leaves the tails", async () => {
  const store = createMemoryStore({ name: "locked" });
  let asked = 0;
  const locked: ObjectStore = {
    ...store,
    remove: () => {
      asked += 1;
      return Promise.reject(new SoarError("STORE_DENIED", "no"));
    },
  };
  const piece = { from: 0, bytes: Buffer.alloc(10), sha256: createHash("sha256").digest("hex"), systemIdentifier: "7" };
  await putTailPiece(store, { ...piece, segmentName: FULL });
  const cleaner = createTailCleaner(locked, {
    signal: new AbortController().signal,
    onFailure: (_, error) => expect.fail(String(error)),
  });
  expect(cleaner.mayRemove).toBe(true);
  cleaner.archived(FULL);
  cleaner.archived(CURRENT);
  await cleaner.idle();
  expect(cleaner.mayRemove).toBe(false);
  expect(asked).toBe(1);
  expect(await listTailSegments(store)).toEqual([FULL]);
});
