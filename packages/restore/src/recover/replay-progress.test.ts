import { SoarError } from "@soar/errors";
import { formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { expect, test } from "vitest";
import { reportReplay } from "./replay-progress.ts";
import type { RestorePlan } from "../plan/plan.ts";

const SIZE = 16 * 1024 * 1024;
const nameOf = (index: number) => formatWalSegment({ timeline: 1, index }, SIZE);
const segments = [1, 2].map((index) => ({
  index,
  name: nameOf(index),
  timeline: 1,
  object: { key: `wal/${nameOf(index)}.zst`, name: nameOf(index), size: 1000, codec: "zstd" },
}));
const plan = {
  chain: { segments, segmentSize: SIZE },
  resolved: { stopLsn: lsnOfSegmentIndex(3, SIZE) },
} as unknown as RestorePlan;

test.each([new SoarError("STORE_DENIED", "access is denied"), new TypeError("a bug")])(
  "how far replay has got is told, whatever reading its time comes to: %s",
  async (failure) => {
    const failing = (): Promise<never> => Promise.reject(failure);
    const store: ObjectStore = { ...createMemoryStore(), get: failing, stat: failing };
    const events: unknown[] = [];
    const report = reportReplay(store, plan, {
      onEvent: (event) => events.push(event),
      keeper: { replayed: () => undefined },
      signal: undefined,
    });
    report({ type: "file-restored", name: nameOf(2), count: 2 });
    await expect
      .poll(() => events)
      .toEqual([
        { type: "file-restored", name: nameOf(2), count: 2 },
        { type: "replayed", lsn: lsnOfSegmentIndex(2, SIZE), time: undefined, segments: 1, total: 2 },
      ]);
  },
);
