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

const LEAP_DAYS = 400;
/** Weekly backups, as many as are kept in any case, so that only WAL can go. */
const WEEKLY = { ages: [28, 21, 14, 7], windowDays: 30 };

/** A store of which the machine's clock leapt under the archiver, too: what was archived since bears its date. */
async function leapt(ages: readonly number[]): Promise<{ store: ObjectStore; stampBefore: Date }> {
  const directory = mkdtempSync(join(tmpdir(), "soar-retention-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { store } = await createSampleRepository(directory, { ages });
  const stampBefore = new Date(Date.now() + LEAP_DAYS * DAY_MS);
  const wal = join(directory, "wal");
  utimesSync(join(wal, readdirSync(wal).sort().at(-1) ?? ""), stampBefore, stampBefore);
  return { store, stampBefore };
}

/** The same objects on a server, for example on this very machine. */
const byServer = (store: ObjectStore): ObjectStore => ({
  ...store,
  features: { ...store.features, server: "minio:9000" },
});

test.each([
  ["as many backups as are kept in any case", WEEKLY.ages, WEEKLY.windowDays, (store: ObjectStore) => store],
  ["one more than that", [5, 4, 3, 2, 1], 14, (store: ObjectStore) => store],
  ["a server that leaps with it", WEEKLY.ages, WEEKLY.windowDays, byServer],
])("a clock that leaps under the archiver, too, takes nothing away: %s", async (_, ages, windowDays, on) => {
  const { store: files, stampBefore } = await leapt(ages);
  const store = on(files);
  const before = await keysOf(store);
  const told: string[] = [];
  const options = { stampBefore, policy: { windowDays, minimumBackups: 4 } };
  const log = { info: (line: string) => void told.push(line) };
  expect(await expire(store, LEAP_DAYS + 0.1, { ...options, log })).toEqual([]);
  expect(await keysOf(store)).toEqual(before);
  expect(told).toEqual([expect.stringMatching(/^400 days in which nothing was stored do not count for ages/)]);
  await expire(store, LEAP_DAYS + 0.1, { ...options, unattended: false, trustClock: true });
  expect((await keysOf(store)).length).toBeLessThan(before.length);
});

test("a run that nobody watches does not take the WAL of nearly all backups at once; by hand it goes", async () => {
  const { store, stampBefore } = await leapt(WEEKLY.ages);
  const before = await keysOf(store);
  const options = { stampBefore, policy: { windowDays: WEEKLY.windowDays, minimumBackups: 4 }, trustClock: true };
  await expect(expire(store, LEAP_DAYS + 0.1, options)).rejects.toMatchObject({
    code: "EXPIRY_DOUBTFUL",
    message:
      "nothing was expired: the WAL that follows 3 of 4 backups would go at once, and only 1 be left from which every later instant can be restored",
    hint: expect.stringContaining("remove it by hand: soar-base-backup expire") as unknown,
  });
  expect(await keysOf(store)).toEqual(before);
  await expire(store, LEAP_DAYS + 0.1, { ...options, unattended: false });
  expect((await keysOf(store)).length).toBeLessThan(before.length);
});

test("what a window no longer than the time between two backups takes week by week goes without a question", async () => {
  const store = await sample([21, 14, 7, 0]);
  const before = await keysOf(store);
  expect(await expire(store, 0, { policy: { windowDays: 7, minimumBackups: 3 } })).toHaveLength(1);
  expect((await keysOf(store)).length).toBeLessThan(before.length);
});
