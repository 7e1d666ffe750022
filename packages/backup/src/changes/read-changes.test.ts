import { createMemoryStore } from "@soar/storage";
import { expect, test } from "vitest";
import { readChanges } from "./read-changes.ts";

/** A stretch within one segment, of which the server has no file. */
const request = {
  base: { timeline: 1, startLsn: "0/1000028", stopLsn: "0/1000200", walSegmentSize: 16 * 2 ** 20 },
  startTimeline: 1,
  openLocal: () => Promise.resolve(undefined),
};

test("a standby that lags begins before the backup ended that it would be based on: nothing is left unread", async () => {
  expect(await readChanges(createMemoryStore(), { ...request, startLsn: 0x1000100n })).toEqual({
    changed: undefined,
    reason: "it ended at 0/1000200, and this one begins at 0/1000100, before that",
  });
});

test("what neither the bucket nor the server has is a reason, and so is a timeline without a history", async () => {
  const startLsn = 0x1000300n;
  expect(await readChanges(createMemoryStore(), { ...request, startLsn })).toEqual({
    changed: undefined,
    reason: "WAL segment 000000010000000000000001 is not in the bucket",
  });
  expect(await readChanges(createMemoryStore(), { ...request, startLsn, startTimeline: 2 })).toEqual({
    changed: undefined,
    reason: "the history of timeline 2 is not in the bucket",
  });
});
