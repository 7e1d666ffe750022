import { mkdtempSync, readdirSync, utimesSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readStamps } from "@soar/repository/expiry";
import type { ObjectStore } from "@soar/storage";
import { expect, onTestFinished, test } from "vitest";
import { expireRepository, type ExpireOptions } from "../src/retention.ts";
import { createSampleRepository } from "./sample-repository.ts";

const DAY_MS = 86_400_000;
const DAILY = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];

async function sample(ages: readonly number[]): Promise<ObjectStore> {
  const directory = mkdtempSync(join(tmpdir(), "soar-retention-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return (await createSampleRepository(directory, { ages })).store;
}

/** An expiry as a timer runs it, by a clock that is some days ahead. */
async function expire(store: ObjectStore, daysAhead: number, options: Partial<ExpireOptions> = {}): Promise<string[]> {
  const { outcome } = await expireRepository(store, {
    policy: { windowDays: 14, minimumBackups: 4 },
    unattended: true,
    log: { info: () => undefined },
    now: () => new Date(Date.now() + daysAhead * DAY_MS),
    signal: AbortSignal.timeout(60_000),
    approve: () => Promise.resolve(),
    ...options,
  });
  return [...outcome.backups];
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}

test("a clock 400 days ahead removes nothing that the bucket does not show to be old", async () => {
  const store = await sample(DAILY);
  const before = await keysOf(store);
  expect(await expire(store, 400)).toEqual([]);
  expect(await keysOf(store)).toEqual(before);
});

test("a clock that is behind what was stored removes nothing, until somebody who has compared clocks says so", async () => {
  const store = await sample([60, 50, 40, 30, 20, 10, 1]);
  const before = await keysOf(store);
  const refused = { code: "EXPIRY_DOUBTFUL", message: expect.stringContaining("10 days in the future") as unknown };
  await expect(expire(store, -10, { unattended: false })).rejects.toMatchObject(refused);
  await expect(expire(store, -10)).rejects.toMatchObject(refused);
  expect(await keysOf(store)).toEqual(before);
  expect(await expire(store, -10, { unattended: false, trustClock: true })).toHaveLength(3);
});

test("a run that nobody watches does not leave hardly more than the minimum; by hand it goes", async () => {
  const store = await sample([400, 399, 398, 397, 396, 395, 3, 2, 1]);
  const before = await keysOf(store);
  await expect(expire(store, 0)).rejects.toMatchObject({
    code: "EXPIRY_DOUBTFUL",
    message:
      "nothing was expired: 5 of 9 backups would go at once, and 4 be left, hardly more than the 4 that are always kept",
  });
  expect(await keysOf(store)).toEqual(before);
  expect(await expire(store, 0, { unattended: false })).toHaveLength(5);
});

test("in a directory what this run has stored does not prove its own clock", async () => {
  const store = await sample(DAILY);
  const stampBefore = new Date(Date.now() - 30 * DAY_MS);
  // All stamps are of now, but those of before the run are a month old: nothing is proved to be older than 14 days but two.
  expect((await readStamps(store)).newest).toEqual(expect.any(Date));
  expect(await expire(store, 400, { stampBefore })).toEqual([]);
});

test.each([
  ["as many backups as are kept in any case", [28, 21, 14, 7], 30],
  ["one more than that", [5, 4, 3, 2, 1], 14],
])("a clock that leaps under the archiver, too, takes nothing away: %s", async (_, ages, windowDays) => {
  const directory = mkdtempSync(join(tmpdir(), "soar-retention-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { store } = await createSampleRepository(directory, { ages });
  // In a directory the machine itself does the stamping: what was archived since the leap bears its date.
  const stampBefore = new Date(Date.now() + 400 * DAY_MS);
  const wal = join(directory, "wal");
  utimesSync(join(wal, readdirSync(wal).sort().at(-1) ?? ""), stampBefore, stampBefore);
  const before = await keysOf(store);
  const told: string[] = [];
  const options = { stampBefore, policy: { windowDays, minimumBackups: 4 } };
  const log = { info: (line: string) => void told.push(line) };
  expect(await expire(store, 400.1, { ...options, log })).toEqual([]);
  expect(await keysOf(store)).toEqual(before);
  expect(told).toEqual([expect.stringMatching(/^400 days in which nothing was stored do not count for ages/)]);
  await expire(store, 400.1, { ...options, unattended: false, trustClock: true });
  expect((await keysOf(store)).length).toBeLessThan(before.length);
});
