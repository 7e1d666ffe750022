import { formatTimelineHistory, lsnOfSegmentIndex } from "@soar/pg-tools";
import type { ObjectStore } from "@soar/storage";
import { expect, test } from "vitest";
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
