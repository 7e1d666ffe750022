import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ageAt, CLOCK_TOLERANCE_MS, provedEnd, leapOf, proveTime } from "./proved-time.ts";

const DAY_MS = 86_400_000;
const today = new Date("2025-06-01T12:00:00Z");
const days = (count: number) => new Date(today.getTime() + count * DAY_MS);

describe("the time that may be acted upon", () => {
  test("a clock that runs ahead is not believed further than the newest stamp", () => {
    const backups = [{ label: "2025-06-01", stoppedAt: today, recordedAt: today }];
    expect(proveTime({ clock: days(400), newestStamp: today, backups })).toEqual({
      now: today,
      clock: days(400),
      doubts: [],
    });
  });

  test("a clock that is behind what was stored is doubted, and so are stamps of the future", () => {
    expect(proveTime({ clock: days(-400), newestStamp: today, backups: [] })).toMatchObject({
      now: days(-400),
      doubts: [expect.stringContaining("400 days in the future of this machine's clock")],
    });
    const future = { label: "2026-07-06", stoppedAt: days(400), recordedAt: undefined };
    expect(proveTime({ clock: today, newestStamp: today, backups: [future] }).doubts).toEqual([
      "backup 2026-07-06 ended at 2026-07-06T12:00:00.000Z, 400 days in the future of this machine's clock",
    ]);
  });

  test("a backup that says to have ended after its record was stored was taken by a wrong clock", () => {
    const backups = [{ label: "2026-07-06", stoppedAt: days(400), recordedAt: today }];
    expect(proveTime({ clock: days(400), newestStamp: today, backups }).doubts).toEqual([
      "the clock of the machine that took backup 2026-07-06 was 400 days ahead of what the bucket shows",
    ]);
    // Once a later one was taken by a right clock, nothing hangs on it any more.
    const since = { label: "2025-06-02", stoppedAt: days(1), recordedAt: days(1) };
    expect(proveTime({ clock: days(1), newestStamp: days(1), backups: [...backups, since] }).doubts).toEqual([]);
  });

  test("clocks that differ by minutes agree, and no time is proved that is later than either", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: -1000, max: 1000 }), (clock, stamp) => {
        const at = (minutes: number) => new Date(today.getTime() + minutes * 60_000);
        const { now, doubts } = proveTime({ clock: at(clock), newestStamp: at(stamp), backups: [] });
        expect(now.getTime()).toBe(Math.min(at(clock).getTime(), at(stamp).getTime()));
        expect(doubts.length).toBe((stamp - clock) * 60_000 > CLOCK_TOLERANCE_MS ? 1 : 0);
      }),
    );
  });

  test("without any stamp there is nothing to compare with", () => {
    expect(proveTime({ clock: today, newestStamp: undefined, backups: [] })).toMatchObject({ now: today, doubts: [] });
  });
});

test("a backup ended no later than its record was stored", () => {
  expect(provedEnd({ stoppedAt: days(400), recordedAt: today })).toEqual(today);
  expect(provedEnd({ stoppedAt: days(-3), recordedAt: today })).toEqual(days(-3));
  expect(provedEnd({ stoppedAt: today, recordedAt: undefined })).toEqual(today);
});

test("an age is negative only where clocks differ by more than they may", () => {
  expect(ageAt(today, days(-2))).toBe(2 * DAY_MS);
  expect(ageAt(today, new Date(today.getTime() + 60_000))).toBe(0);
  expect(ageAt(today, days(3))).toBe(-3 * DAY_MS);
});

describe("time that leaps", () => {
  const daily = [1, 2, 3, 4, 5].map((day) => days(day));

  test("stands out from the usual pace of what is stored, a quiet server's weekly one included", () => {
    expect(leapOf([])).toBe(0);
    expect(leapOf([today])).toBe(0);
    expect(leapOf(daily)).toBe(0);
    expect(leapOf([days(0), days(7), days(14), days(21)])).toBe(0);
    expect(leapOf([days(0), days(10), days(24), days(38)])).toBe(0);
    expect(leapOf([...daily, days(405), days(406)])).toBe(400 * DAY_MS);
    // In any order, and beside another long silence.
    expect(leapOf([days(200), ...daily, days(25)])).toBe(175 * DAY_MS);
  });

  test("is looked for in the time that is asked about: what a pinned backup or a history leaves behind hides no leap, and is none", () => {
    const pinned = days(-900);
    expect(leapOf([pinned, ...daily, days(405)])).toBe(901 * DAY_MS);
    expect(leapOf([pinned, ...daily, days(405)], days(395))).toBe(400 * DAY_MS);
    expect(leapOf([pinned, ...daily, days(405)], days(405))).toBe(0);
    expect(leapOf([pinned, ...daily], days(2))).toBe(0);
  });

  test("does not count: what was stored before ages by what was lived through since", () => {
    const leapMs = leapOf([...daily, days(405)]);
    const time = proveTime({ clock: days(405), newestStamp: days(405), leapMs, backups: [] });
    expect(time).toMatchObject({ now: days(5), leapMs, doubts: [] });
  });
});
