import { expect, test } from "vitest";
import { FetchCount, timed, type Counted, type FetchedWork } from "./work-done.ts";

const of = (plainBytes: number, keptBytes: number, storedBytes: number, sparedBytes: number) => ({
  plainBytes,
  keptBytes,
  storedBytes,
  sparedBytes,
});

test("what came, was written and was right already is counted over all archives", () => {
  const count = new FetchCount();
  count.received(Buffer.alloc(7));
  expect(count.extracting(of(100, 40, 30, 10))).toEqual({ receivedBytes: 7, sparedBytes: 10, doneBytes: 40 });
  count.extracted(of(200, 40, 60, 10));
  count.received(Buffer.alloc(3));
  expect(count.extracting(of(50, 50, 0, 20))).toEqual({ receivedBytes: 10, sparedBytes: 30, doneBytes: 90 });
  count.extracted(of(50, 50, 0, 20));
  expect(count.work).toEqual({ receivedBytes: 10, writtenBytes: 160, keptBytes: 90 });
});

test("the time that work takes is counted while it is done", async () => {
  const { value, ms } = await timed(() => Promise.resolve("done"));
  expect([value, ms >= 0]).toEqual(["done", true]);
});

test("a planned figure cannot be given where a counted one is asked for", () => {
  const planned = { backup: 5_120_000, wal: 1 };
  // @ts-expect-error a plan's figures are plain numbers
  const claimed: Counted = planned.backup;
  // @ts-expect-error and so are those of records and sizes
  const fetched: FetchedWork = { receivedBytes: planned.backup, writtenBytes: 1, keptBytes: 0 };
  expect([claimed, fetched.receivedBytes]).toEqual([planned.backup, planned.backup]);
});
