import { formatTimelineHistory, lsnOfSegmentIndex } from "@soar/pg-tools";
import type { ObjectStore } from "@soar/storage";
import { expect, test } from "vitest";
import { committedWal } from "../../test/committed-wal.ts";
import {
  createSampleRepository,
  day,
  labelOf,
  SEGMENT_SIZE,
  segmentName,
  type SampleBackup,
} from "../../test/sample-repository.ts";
import { sha256Hex } from "../records/digest.ts";
import { putGap } from "../markers/marker-records.ts";
import { putTailPiece } from "../tail/tail-pieces.ts";
import { putWalFile } from "../wal/put-wal.ts";
import { readRecoveryWindow } from "./window-read.ts";

interface SampleSegment {
  readonly index: number;
  readonly timeline?: number;
  /** Day of its only commit; none for an idle segment. */
  readonly commit?: number;
}

async function repository(backups: readonly SampleBackup[], segments: readonly SampleSegment[]): Promise<ObjectStore> {
  const store = await createSampleRepository({ now: day(100), backups, wal: [] });
  for (const { index, timeline, commit } of segments) {
    const bytes = Buffer.from(`${timeline} ${index}`);
    const micros = commit === undefined ? undefined : day(commit).getTime() * 1000;
    const tx = micros === undefined ? { n: 0 } : { n: 1, first: micros, last: micros };
    const source = {
      name: segmentName(index, timeline),
      size: bytes.length,
      sha256: sha256Hex(bytes),
      facts: { tx },
      open: () => piecesOf(bytes),
    };
    await putWalFile(store, source, { codec: "zstd" });
  }
  return store;
}

/** A segment as it is stored without compression: nothing but its own records tells when something was committed in it. */
async function storeBare(store: ObjectStore, index: number, commits: readonly number[]): Promise<void> {
  const written = committedWal(index, commits.map(day), SEGMENT_SIZE);
  const bytes = Buffer.concat([written, Buffer.alloc(SEGMENT_SIZE - written.length)]);
  const source = {
    name: segmentName(index),
    size: bytes.length,
    sha256: sha256Hex(bytes),
    open: () => piecesOf(bytes),
  };
  await putWalFile(store, source, { codec: "none" });
}

async function* piecesOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

const daily = (from: number, to: number): SampleSegment[] =>
  Array.from({ length: to - from + 1 }, (_, at) => ({ index: from + at, commit: from + at }));

test("a whole chain is one range, from the end of the first backup to the last commit", async () => {
  const store = await repository([{ day: 10 }, { day: 17 }], [...daily(10, 20), { index: 21 }]);
  const { timelines } = await readRecoveryWindow(store, SEGMENT_SIZE);
  expect(timelines).toEqual([
    {
      timeline: 1,
      parent: undefined,
      ranges: [
        {
          from: "2025-01-10T01:00:00.000Z",
          to: day(20).toISOString(),
          fromLsn: "0/A000190",
          toLsn: "0/16000000",
          backups: [labelOf({ day: 10 }), labelOf({ day: 17 })],
          hole: undefined,
        },
      ],
      unusable: [],
    },
  ]);
});

test("a hole ends a range, and the next begins with the next backup; a declared one says so", async () => {
  const store = await repository([{ day: 10 }, { day: 14 }, { day: 17 }], [...daily(10, 12), ...daily(15, 20)]);
  await putGap(store, {
    format: 1,
    from: segmentName(13),
    to: segmentName(14),
    declaredBy: "root",
    declaredAt: day(15).toISOString(),
    reason: "disk full",
  });
  const { timelines, gaps } = await readRecoveryWindow(store, SEGMENT_SIZE);
  expect(timelines[0]?.ranges).toMatchObject([
    {
      to: day(12).toISOString(),
      backups: [labelOf({ day: 10 })],
      hole: { from: segmentName(13), to: segmentName(14), count: 2, declared: { by: "root", reason: "disk full" } },
    },
    { from: "2025-01-17T01:00:00.000Z", to: day(20).toISOString(), hole: undefined },
  ]);
  expect(timelines[0]?.unusable).toEqual([labelOf({ day: 14 })]);
  expect(gaps).toHaveLength(1);
});

test("a branch shows what lies behind its branch point, reached from its parent's backup", async () => {
  const branch: SampleSegment[] = [
    { index: 13, timeline: 2 },
    { index: 14, timeline: 2, commit: 24 },
    { index: 15, timeline: 2, commit: 25 },
  ];
  const store = await repository([{ day: 10 }], [...daily(10, 16), ...branch]);
  const history = formatTimelineHistory({
    timeline: 2,
    entries: [{ timeline: 1, switchLsn: lsnOfSegmentIndex(13, SEGMENT_SIZE) + 16n, reason: "" }],
  });
  await store.put("wal/00000002.history", Buffer.from(history));
  const { timelines } = await readRecoveryWindow(store, SEGMENT_SIZE);
  expect(timelines).toMatchObject([
    {
      timeline: 2,
      parent: { timeline: 1, switchLsn: "0/D000010" },
      ranges: [{ from: day(24).toISOString(), to: day(25).toISOString(), backups: [labelOf({ day: 10 })] }],
    },
    { timeline: 1, parent: undefined, ranges: [{ from: "2025-01-10T01:00:00.000Z", to: day(16).toISOString() }] },
  ]);
});

test("without a commit behind the backup the range has no end in time, and without backups there is none", async () => {
  const idle = await readRecoveryWindow(await repository([{ day: 10 }], [{ index: 10 }, { index: 11 }]), SEGMENT_SIZE);
  expect(idle.timelines[0]?.ranges).toMatchObject([{ from: "2025-01-10T01:00:00.000Z", to: undefined }]);
  const bare = await readRecoveryWindow(await repository([], daily(1, 3)), SEGMENT_SIZE);
  expect(bare.timelines[0]?.ranges).toEqual([]);
  expect((await readRecoveryWindow(await repository([], []), SEGMENT_SIZE)).timelines).toEqual([]);
});

test("WAL that is missing was neither given up nor expired", async () => {
  const store = await repository([{ day: 10 }], [...daily(10, 12), ...daily(15, 16)]);
  await putGap(store, {
    format: 1,
    from: segmentName(13),
    to: segmentName(13),
    declaredBy: "root",
    declaredAt: day(15).toISOString(),
    reason: "disk full",
  });
  // Of two segments one was given up: the other is lost all the same.
  expect((await readRecoveryWindow(store, SEGMENT_SIZE)).timelines[0]?.ranges[0]?.hole).toEqual({
    from: segmentName(13),
    to: segmentName(14),
    count: 2,
    declared: undefined,
    expired: false,
  });
});

test("a timeline of which only its history is there has no range of its own", async () => {
  const store = await repository([{ day: 10 }], daily(10, 16));
  const entries = [{ timeline: 1, switchLsn: lsnOfSegmentIndex(13, SEGMENT_SIZE) + 16n, reason: "" }];
  await store.put("wal/00000002.history", Buffer.from(formatTimelineHistory({ timeline: 2, entries })));
  const { timelines } = await readRecoveryWindow(store, SEGMENT_SIZE);
  expect(timelines.map(({ timeline, ranges }) => [timeline, ranges.length])).toEqual([
    [2, 0],
    [1, 1],
  ]);
});

test("what was shipped of the unfinished segment counts, with the last commit in it", async () => {
  const store = await repository([{ day: 10 }], daily(10, 12));
  const bytes = committedWal(13, [day(13), day(14)], SEGMENT_SIZE);
  await putTailPiece(store, {
    segmentName: segmentName(13),
    from: 0,
    bytes,
    sha256: sha256Hex(bytes),
    systemIdentifier: "7000000000000000001",
  });
  const { timelines } = await readRecoveryWindow(store, SEGMENT_SIZE);
  expect(timelines[0]?.ranges).toMatchObject([{ to: day(14).toISOString(), toLsn: "0/D000078" }]);
});

test("commits of a segment that does not describe itself are looked for in its records, first and last", async () => {
  const store = await repository([{ day: 10 }], [{ index: 10 }]);
  await storeBare(store, 11, [21, 23, 22]);
  const { timelines } = await readRecoveryWindow(store, SEGMENT_SIZE);
  expect(timelines[0]?.ranges).toMatchObject([{ from: "2025-01-10T01:00:00.000Z", to: day(23).toISOString() }]);
  // This branch begins behind the backup, so that its first commit is its beginning.
  const entries = [{ timeline: 1, switchLsn: lsnOfSegmentIndex(10, SEGMENT_SIZE) + 1000n, reason: "" }];
  const branch = await repository([{ day: 10 }], [{ index: 10 }, { index: 10, timeline: 2, commit: 20 }]);
  await branch.put("wal/00000002.history", Buffer.from(formatTimelineHistory({ timeline: 2, entries })));
  const written = committedWal(11, [day(21), day(23)], SEGMENT_SIZE);
  written.writeUInt32LE(2, 4);
  await branch.put(`wal/${segmentName(11, 2)}`, Buffer.concat([written, Buffer.alloc(SEGMENT_SIZE - written.length)]));
  const [own] = (await readRecoveryWindow(branch, SEGMENT_SIZE)).timelines;
  expect(own?.ranges).toMatchObject([{ from: day(21).toISOString(), to: day(23).toISOString() }]);
});

test("no more than four segments are read as a whole for a time, and one that cannot be read tells none", async () => {
  const store = await repository([{ day: 10 }], [{ index: 10 }]);
  await storeBare(store, 11, [11]);
  for (const index of [12, 13, 14]) await storeBare(store, index, []);
  await store.put(`wal/${segmentName(15)}`, Buffer.alloc(SEGMENT_SIZE, 0xff));
  const endOf = async () => (await readRecoveryWindow(store, SEGMENT_SIZE)).timelines[0]?.ranges[0]?.to;
  expect(await endOf()).toBeUndefined();
  await store.remove([`wal/${segmentName(15)}`]);
  expect(await endOf()).toBe(day(11).toISOString());
});

test("a timeline whose history cannot be read is told with the reason, and the others are shown", async () => {
  const store = await repository([{ day: 10 }], daily(10, 16));
  await store.put("wal/00000002.history", Buffer.from("<Error/>"));
  await store.put(`wal/${segmentName(9, 3)}.zst`, Buffer.of(1));
  const { timelines, unreadable } = await readRecoveryWindow(store, SEGMENT_SIZE);
  expect(timelines.map(({ timeline }) => timeline)).toEqual([1]);
  expect(unreadable).toEqual([
    { timeline: 3, reason: expect.stringContaining("'00000003.history' is not in") },
    { timeline: 2, reason: expect.stringContaining("00000002.history' is damaged") },
  ]);
});
