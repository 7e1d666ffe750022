import { executeExpiry, planExpiry, readExpiryState } from "@soar/repository/expiry";
import { listExpiredWal, putKeep } from "@soar/repository/markers";
import { readRecoveryWindow } from "@soar/repository/window";
import {
  archiveSample as archive,
  putSampleBackup as putBackup,
  SAMPLE_LABEL as LABEL,
  sampleSegment as segmentBytes,
  segmentKey,
  segmentName,
  SEGMENT_SIZE,
} from "@soar-tooling/sample-repository";
import { expect, test } from "vitest";
import { error, QUICK, useSampleRepository } from "./sample-repository.fixture.ts";

const { find, repository } = useSampleRepository();

/** Full backups and an incremental on one timeline, the first one pinned, and an expiry after which the last two days count. */
async function expireTheFirst(): Promise<void> {
  const { store } = repository;
  await store.remove([6, 7, 8].map((index) => segmentKey(index, 2)));
  await store.remove(["wal/00000002.history"]);
  for (let index = 7; index <= 20; index += 1) await archive(store, segmentName(index), segmentBytes(index));
  const base = await putBackup(store, { label: "2025-01-02", first: 6, state: 3 });
  await putBackup(store, { label: "2025-01-04", first: 12, base, state: 4 });
  await putBackup(store, { label: "2025-01-05T100000Z", first: 16, state: 5 });
  await putBackup(store, { label: "2025-01-06", first: 18, state: 6 });
  await putKeep(store, LABEL, { format: 1, reason: "audit", keptAt: "2025-01-05T00:00:00.000Z" });
  const state = await readExpiryState(store, { now: new Date("2025-01-06T03:30:00Z") });
  const policy = { windowDays: 1, minimumBackups: 1 };
  await executeExpiry(store, { state, policy, plan: planExpiry(state, policy) });
}

test("what an expiry removed behind a backup that is kept longer is no damage, and what it left still is when it goes", async () => {
  await expireTheFirst();
  const { store } = repository;
  const [record] = await listExpiredWal(store);
  expect(record?.ranges.length).toBeGreaterThan(0);
  expect(await find({ depth: QUICK })).toEqual([]);
  const window = await readRecoveryWindow(store, SEGMENT_SIZE);
  const holes = window.timelines.flatMap(({ ranges }) => ranges.flatMap(({ hole }) => hole ?? []));
  expect(holes.length).toBeGreaterThan(0);
  expect(holes.every(({ expired }) => expired)).toBe(true);

  await store.remove([segmentKey(19)]);
  expect(await find({ depth: QUICK })).toContainEqual(error("backup-inconsistent", "2025-01-06"));
});

test("without the record of what expired, the same WAL is missing", async () => {
  await expireTheFirst();
  const { store } = repository;
  for (const { id } of await listExpiredWal(store)) await store.remove([`config/expired/${id}.json`]);
  expect((await find({ depth: QUICK })).map(([kind]) => kind)).toContain("wal-missing");
});
