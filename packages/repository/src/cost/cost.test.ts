import { expect, test } from "vitest";
import { createMemoryStore } from "@soar/storage";
import {
  createSampleRepository,
  day,
  labelOf,
  recordOf,
  segmentName,
  type SampleBackup,
} from "../../test/sample-repository.ts";
import { putBackupRecord } from "../records/backup-record.ts";
import { costOf, requestsCost, storageOf } from "./cost.ts";
import { STORAGE_PRICES, type StoragePrices } from "./cost-prices.ts";
import { readStorageUsage, type StorageUsage } from "./cost-usage.ts";

const GB = 1e9;
const usage: StorageUsage = {
  baseBytes: 600 * GB,
  oldBaseBytes: 300 * GB,
  walBytes: 300 * GB,
  tailBytes: 0,
  storedBytes: 900 * GB,
  objects: 20_000,
  putsPerMonth: 500_000,
  tailPutsPerMonth: 0,
  tailBytesPerMonth: 0,
  restoreBytes: 150 * GB,
  growthPerMonth: 0,
  retentionDays: 30,
  ratios: {},
  incrementalShare: undefined,
};

function pricesOf(provider: string): StoragePrices {
  const found = STORAGE_PRICES.find((prices) => prices.provider === provider);
  if (found === undefined) throw new Error(`no prices of ${provider}`);
  return found;
}

const cents = (dollars: number) => Math.round(dollars * 100);

test("the owner's 900 GB: storage, requests, and one restore beyond the free egress", () => {
  const aws = costOf(usage, pricesOf("AWS S3 Standard"));
  expect(cents(aws.month.storage)).toBe(2070);
  expect(cents(aws.month.requests)).toBe(250);
  expect(cents(aws.year)).toBe(12 * (2070 + 250));
  expect(cents(aws.restore)).toBe(cents(50 * 0.09 + ((150 * GB) / (8 * 1024 * 1024) / 1000) * 0.0004));
  expect(cents(aws.verification)).toBeGreaterThan(800 * 9);
  expect(cents(costOf(usage, pricesOf("Backblaze B2")).verification)).toBe(4);
});

test("minimums: Wasabi bills ninety days of what stays thirty, and a terabyte of what is less", () => {
  const wasabi = pricesOf("Wasabi");
  expect(cents(storageOf(900 * GB, { retentionDays: 30 }, wasabi))).toBe(cents((2700 / 1024) * 6.99));
  expect(cents(storageOf(900 * GB, { retentionDays: 90 }, wasabi))).toBe(699);
  expect(cents(storageOf(10 * GB, { retentionDays: 90 }, wasabi))).toBe(699);
  expect(cents(storageOf(100 * GB, { retentionDays: 30 }, pricesOf("DigitalOcean Spaces")))).toBe(500);
});

test("requests: what is free is not billed, listings have a price of their own", () => {
  expect(cents(requestsCost({ putsPerMonth: 2_000_000, listsPerMonth: 0 }, pricesOf("AWS S3 Standard")))).toBe(1000);
  expect(cents(requestsCost({ putsPerMonth: 0, listsPerMonth: 1_000_000 }, pricesOf("AWS S3 Standard")))).toBe(500);
  expect(requestsCost({ putsPerMonth: 2_000_000, listsPerMonth: 70_000 }, pricesOf("Backblaze B2"))).toBe(0);
  expect(cents(requestsCost({ putsPerMonth: 3_000_000, listsPerMonth: 0 }, pricesOf("Cloudflare R2")))).toBe(900);
});

test("growth goes on over the year", () => {
  const steady = costOf(usage, pricesOf("AWS S3 Standard")).year;
  const growing = costOf({ ...usage, growthPerMonth: 0.1 }, pricesOf("AWS S3 Standard")).year;
  expect(cents(growing - steady)).toBe(cents(20.7 * 0.1 * 66));
});

test("usage is read from the listing: bytes, requests a month, what a restore fetches", async () => {
  const store = await createSampleRepository({
    now: day(40),
    backups: [{ day: 10 }, { day: 20 }],
    wal: [10, 11, 20, 21].map((index) => segmentName(index)),
  });
  await store.put("tail/000000010000000000000016/00000000-00001000.zst", Buffer.alloc(100));
  const read = await readStorageUsage(store, { now: day(60), retentionDays: 30 });
  expect(read).toMatchObject({
    walBytes: 96,
    tailBytes: 100,
    objects: 15,
    growthPerMonth: 0,
    incrementalShare: undefined,
  });
  expect(read.oldBaseBytes).toBe(read.baseBytes);
  expect(read.storedBytes).toBe(read.baseBytes + 196);
  // Everything was stored twenty days before.
  expect(read.putsPerMonth).toBeCloseTo((14 / 20) * (365.25 / 12) + 1);
  expect(read.restoreBytes).toBe(300 + 96);
  expect(read.ratios.gzip).toBeCloseTo(1100 / 300);
  const later = await readStorageUsage(store, { now: day(200), retentionDays: 30 });
  expect(later.putsPerMonth).toBe(1);
});

test("the tail: pieces that are gone with their segment are counted at the pace of those that are there", async () => {
  let now = day(40);
  const store = createMemoryStore({ now: () => now });
  for (let piece = 0; piece < 4; piece += 1) {
    now = new Date(day(40).getTime() + piece * 10_000);
    await store.put(`tail/000000010000000000000016/0000000${piece}-00001000.zst`, Buffer.alloc(1000));
  }
  const read = await readStorageUsage(store, { now: day(40), retentionDays: 30 });
  const perMonth = (30.4375 * 86_400) / 10;
  expect(read.tailPutsPerMonth).toBeCloseTo(perMonth);
  expect(read.putsPerMonth).toBeCloseTo(perMonth);
  expect(read.tailBytesPerMonth).toBeCloseTo(perMonth * 1000);
  // Ninety days for what is there for minutes.
  const wasabi = pricesOf("Wasabi");
  const tailed = { ...usage, tailBytesPerMonth: 300 * GB };
  expect(costOf(tailed, wasabi).month.storage - costOf(usage, wasabi).month.storage).toBeCloseTo(
    300 * (90 / 30.4375) * wasabi.perGbMonth,
  );
  expect(costOf(tailed, pricesOf("AWS S3 Standard")).month.storage).toBe(
    costOf(usage, pricesOf("AWS S3 Standard")).month.storage,
  );
});

test("growth needs two days to be told, and an incremental has its share of what a full backup would store", async () => {
  const store = await createSampleRepository({ now: day(40), backups: [], wal: [] });
  const grown = (backup: SampleBackup, database: number) => {
    const record = recordOf(backup);
    return putBackupRecord(store, { ...record, sizes: { ...record.sizes, database, new: 30 } });
  };
  await grown({ day: 10 }, 1000);
  await grown({ day: 11, references: [labelOf({ day: 10 })] }, 2000);
  const soon = await readStorageUsage(store, { now: day(40), retentionDays: 30 });
  expect(soon.growthPerMonth).toBe(0);
  expect(soon.incrementalShare).toBe(30 / 300);
  await grown({ day: 20 }, 1100);
  const later = await readStorageUsage(store, { now: day(40), retentionDays: 30 });
  // A tenth more in ten days.
  expect(later.growthPerMonth).toBeCloseTo((0.1 / 10) * 30.4375);
});
