import { readWalChain } from "@soar/repository/chain";
import { lsnOfSegmentIndex, type TimelineHistory } from "@soar/pg-tools";
import { createMemoryStore, type ListOptions } from "@soar/storage";
import { expect, test } from "vitest";
import { SEGMENT_SIZE, segmentName } from "./wal-samples.ts";

/** Timeline 1 was left in segment 4 for 2, that in segment 8 for 3. */
const history: TimelineHistory = {
  timeline: 3,
  entries: [
    { timeline: 1, switchLsn: lsnOfSegmentIndex(4, SEGMENT_SIZE) + 0x148n, reason: "" },
    { timeline: 2, switchLsn: lsnOfSegmentIndex(8, SEGMENT_SIZE) + 0x28n, reason: "" },
  ],
};

test("a chain is read with one listing per timeline that it can pass through, from its first segment on", async () => {
  const store = createMemoryStore();
  const present = [
    [1, [0, 1, 2, 3, 4, 5, 6]],
    [2, [4, 5, 6, 7, 8, 9]],
    [3, [8, 9, 10]],
  ] as const;
  for (const [timeline, indexes] of present)
    for (const index of indexes) await store.put(`wal/${segmentName(index, timeline)}.zst`, Buffer.of(1));
  const listed: [string, string | undefined][] = [];
  const recording = {
    ...store,
    list: (prefix: string, options: ListOptions = {}) => (
      listed.push([prefix, options.startAfter]),
      store.list(prefix, options)
    ),
  };
  const names = async (from: number) => {
    listed.splice(0);
    return (await readWalChain(recording, history, SEGMENT_SIZE, from)).segments.map(({ name }) => name);
  };
  expect(await names(3)).toEqual([
    segmentName(3),
    ...[4, 5, 6, 7].map((index) => segmentName(index, 2)),
    ...[8, 9, 10].map((index) => segmentName(index, 3)),
  ]);
  expect(listed.map(([prefix]) => prefix)).toEqual(["wal/00000001", "wal/00000002", "wal/00000003"]);
  expect(listed[0]?.[1]).toBe(`wal/${segmentName(2)}~`);
  expect(await names(9)).toEqual([segmentName(9, 3), segmentName(10, 3)]);
  expect(listed.map(([prefix]) => prefix)).toEqual(["wal/00000003"]);
});

test("what lies on this machine fills the holes of the bucket, whose own segments are preferred", async () => {
  const store = createMemoryStore();
  for (const index of [2, 4]) await store.put(`wal/${segmentName(index)}.zst`, Buffer.of(1));
  const onDisk = (index: number) => ({
    name: segmentName(index),
    key: "",
    codec: "none" as const,
    size: SEGMENT_SIZE,
    file: `/lost/pg_wal/${segmentName(index)}`,
  });
  const segments = new Map([2, 3].map((index) => [index, [onDisk(index)]] as const));
  const first: TimelineHistory = { timeline: 1, entries: [] };
  const local = new Map([[1, { timeline: 1, segments }]]);
  const chain = await readWalChain(store, first, SEGMENT_SIZE, 2, { local });
  expect(chain.segments.map(({ index, object }) => [index, object.file])).toEqual([
    [2, undefined],
    [3, `/lost/pg_wal/${segmentName(3)}`],
    [4, undefined],
  ]);
  expect((await readWalChain(store, first, SEGMENT_SIZE, 2)).holes).toMatchObject([{ from: segmentName(3), count: 1 }]);
});
