import { SoarError } from "@soar/errors";
import { expect, test } from "vitest";
import { createRetrySchedule } from "./retry-schedule.ts";

const unreachable = new SoarError("STORE_UNREACHABLE", "unable to reach it", { retryable: false });
const invalid = new SoarError("WAL_INVALID", "unable to accept it");

function scheduleAt(clock: { now: number }) {
  return createRetrySchedule({ now: () => clock.now, random: () => 1, baseMs: 100, capMs: 1_000 });
}

test("a failure of the store pauses everything, longer each time up to the cap, until the first success", () => {
  const clock = { now: 1_000 };
  const schedule = scheduleAt(clock);
  const pauses = Array.from({ length: 6 }, () => schedule.failed("a", unreachable).retryInMs);
  expect(pauses).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(schedule.dueAt("b")).toBe(2_000);
  clock.now = 61_000;
  expect(schedule.succeeded("b")).toEqual({ attempts: 6, outageMs: 60_000 });
  expect(schedule.dueAt("a")).toBe(0);
  expect(schedule.succeeded("a")).toBeUndefined();
});

test("a failure of one file holds up that file alone", () => {
  const clock = { now: 0 };
  const schedule = scheduleAt(clock);
  schedule.failed("a", invalid);
  schedule.failed("a", invalid);
  expect([schedule.dueAt("a"), schedule.dueAt("b")]).toEqual([200, 0]);
  schedule.succeeded("a");
  expect(schedule.dueAt("a")).toBe(0);
});

test("somebody who waits does not wait for a pause, and what is gone is forgotten", () => {
  const schedule = scheduleAt({ now: 0 });
  schedule.failed("a", invalid);
  schedule.failed("b", unreachable);
  schedule.hurry("a");
  expect([schedule.dueAt("a"), schedule.dueAt("b")]).toEqual([0, 0]);
  schedule.failed("a", invalid);
  schedule.retain((name) => name !== "a");
  expect(schedule.dueAt("a")).toBe(0);
  expect(schedule.failed("a", invalid).attempts).toBe(1);
});

test("an hour of failures needs no more memory or time than a minute of them", () => {
  const schedule = scheduleAt({ now: 0 });
  for (let n = 0; n < 5_000; n += 1) expect(schedule.failed("a", unreachable).retryInMs).toBeLessThanOrEqual(1_000);
});
