import { expect, test } from "vitest";
import { createSampleRepository, day, labelOf, segmentName } from "../../test/sample-repository.ts";
import { planExpiry } from "./expiry-plan.ts";
import { readExpiryState } from "./expiry-state.ts";
import { strandedBackups } from "./stranded-backups.ts";

test("a backup is stranded by a plan that takes the WAL behind it, not where there is none", async () => {
  const days = [60, 70, 80, 90];
  const wal = Array.from({ length: 31 }, (_, at) => 60 + at).filter((index) => index !== 71);
  const store = await createSampleRepository({
    now: day(100),
    backups: [...days.map((number) => ({ day: number })), { day: 95, unfinished: true }],
    wal: wal.map((index) => segmentName(index)),
  });
  const state = await readExpiryState(store, { now: day(100) });
  const plan = planExpiry(state, { windowDays: 5, minimumBackups: 4 });
  expect(plan.keep.map(({ label }) => label)).toEqual(days.map((number) => labelOf({ day: number })));
  // Behind 70 is a gap, and behind 90 nothing yet.
  expect(strandedBackups(state, plan)).toEqual([labelOf({ day: 60 }), labelOf({ day: 80 })]);
  expect(strandedBackups(state, { removeWal: [] })).toEqual([]);
});
