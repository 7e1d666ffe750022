import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryLock } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changeOf, openStatistics } from "./archiver-statistics.ts";
import { readCounters, updateCounters } from "./counters-file.ts";

let spool: string;
beforeEach(() => {
  spool = mkdtempSync(join(tmpdir(), "soar-counters-"));
});
afterEach(() => rmSync(spool, { recursive: true }));

const SIZE = 2 ** 20;
const start = Date.parse("2026-01-10T02:00:00Z");
const now = (): Date => new Date(start);
const PATIENT = { patienceMs: 20_000 };
const archived = (name: string) =>
  ({ type: "archived", name, outcome: "archived", sizeBytes: SIZE, storedBytes: 1_000, durationMs: 5 }) as const;

test("counters survive a restart, and a damaged file begins at zero", async () => {
  const first = await openStatistics(spool, now);
  first.count(archived("A"));
  first.count({ type: "tail-shipped", segmentName: "B", endLsn: 1n, bytes: 10, storedBytes: 20, durationMs: 1 });
  first.count({
    type: "failed",
    name: "B",
    error: new SoarError("WAL_CONFLICT", "no", { hint: "Do this." }),
    attempts: 1,
    retryInMs: 5,
  });
  first.count({ type: "request", kind: "put", outcome: "ok" });
  first.count({ type: "request", kind: "put", outcome: "ok" });
  first.count({ type: "request", kind: "list", outcome: "failed" });
  expect(first.filesPerSecond).toBeCloseTo(1 / 60);
  await first.save();
  expect((await openStatistics(spool, now)).counters).toMatchObject({
    archivedTotal: 1,
    errorsTotal: 1,
    uploadedBytesTotal: 1_020,
    tailPiecesTotal: 1,
    requestsTotal: { "put ok": 2, "list failed": 1 },
    lastArchived: { name: "A", at: "2026-01-10T02:00:00.000Z" },
    lastFailure: { name: "B", at: "2026-01-10T02:00:00.000Z", code: "WAL_CONFLICT", message: "no", hint: "Do this." },
  });
  writeFileSync(join(spool, "counters.json"), "{");
  expect((await openStatistics(spool)).counters.archivedTotal).toBe(0);
});

test("what a killed command left in the spool goes when it is old, archiver or not", async () => {
  const [old, fresh] = ["counters.json.lock.28230-1.soar-tmp", "counters.json.lock.28231-1.soar-tmp"];
  for (const name of [old, fresh]) writeFileSync(join(spool, name), "");
  const twoHoursAgo = new Date(Date.now() - 2 * 3_600_000);
  utimesSync(join(spool, old), twoHoursAgo, twoHoursAgo);
  await updateCounters(spool, { archived: 1 }, PATIENT);
  expect(readdirSync(spool).sort()).toEqual(["counters.json", fresh]);
});

test("the archiver and commands that archive by themselves add to the same counters", async () => {
  const resident = await openStatistics(spool, now);
  resident.count(archived("A"));
  await updateCounters(spool, { archived: 2, errors: 1 }, PATIENT);
  await resident.save();
  resident.count(archived("B"));
  expect(resident.counters).toMatchObject({ archivedTotal: 4, errorsTotal: 1 });
  await resident.save();
  expect(await readCounters(spool)).toMatchObject({ archivedTotal: 4, errorsTotal: 1 });
});

test("many processes at once lose nothing, and leave nothing behind", async () => {
  const script = `import { updateCounters } from ${JSON.stringify(new URL("counters-file.ts", import.meta.url).href)};
    for (let n = 0; n < 10; n += 1) await updateCounters(process.argv[1], { archived: 1, requests: { "put ok": 2 } }, { patienceMs: 20_000 });`;
  const run = (): Promise<number | null> =>
    new Promise((resolve) =>
      spawn(process.execPath, ["--conditions=soar-source", "--input-type=module", "-e", script, spool], {
        stdio: ["ignore", "inherit", "inherit"],
      }).once("close", resolve),
    );
  expect(await Promise.all(Array.from({ length: 4 }, run))).toEqual([0, 0, 0, 0]);
  expect(await readCounters(spool)).toMatchObject({ archivedTotal: 40, requestsTotal: { "put ok": 80 } });
  expect(readdirSync(spool)).toEqual(["counters.json"]);
});

test("a lock of a process that is gone holds nothing; of one that lives it is waited for, but not for ever", async () => {
  writeFileSync(join(spool, "counters.json.lock"), "999999999 1@x\n");
  expect(await updateCounters(spool, { archived: 1 }, PATIENT)).toMatchObject({ archivedTotal: 1 });
  const lock = await tryLock(join(spool, "counters.json.lock"));
  if (!("release" in lock)) throw new Error("somebody else holds it");
  await expect(updateCounters(spool, { archived: 1 }, { patienceMs: 30 })).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    message: expect.stringContaining(`process ${process.pid} holds it`) as string,
  });
  await lock.release();
});

test("what could not be written is written the next time", async () => {
  const statistics = await openStatistics(spool, now);
  statistics.count(archived("A"));
  rmSync(spool, { recursive: true });
  writeFileSync(spool, "");
  await expect(statistics.save()).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
  statistics.count(archived("B"));
  rmSync(spool);
  await statistics.save();
  expect(await readCounters(spool)).toMatchObject({ archivedTotal: 2 });
});

test("every base backup is counted once, whoever tells of it and however often", async () => {
  const statistics = await openStatistics(spool, now);
  const runs = [
    { stoppedAt: "2026-01-04T03:00:00Z", seconds: 50 },
    { stoppedAt: "2026-01-11T03:00:00Z", seconds: 4_000 },
  ];
  statistics.countBaseBackups(runs.slice(0, 1));
  statistics.countBaseBackups(runs);
  await updateCounters(spool, { baseBackups: runs }, PATIENT);
  await statistics.save();
  const { count, sumSeconds, buckets } = statistics.counters.baseBackups;
  expect({ count, sumSeconds }).toEqual({ count: 2, sumSeconds: 4_050 });
  expect(buckets.slice(0, 6)).toEqual([1, 1, 1, 1, 1, 2]);
});

test("rates are of the last hour, and of what has passed of it", async () => {
  let at = start;
  const statistics = await openStatistics(spool, () => new Date(at));
  const putEvery = (ms: number, times: number): void => {
    for (let n = 0; n < times; n += 1) {
      at += ms;
      statistics.count({ type: "request", kind: n % 10 === 0 ? "multipart" : "put", outcome: "ok" });
    }
  };
  putEvery(10_000, 60);
  expect(statistics.hourly.puts).toBeCloseTo(360, -1);
  putEvery(60_000, 600);
  expect(statistics.hourly.puts).toBeCloseTo(60, -1);
  expect(statistics.hourly).toMatchObject({ lists: 0, tailPuts: 0, tailBytes: 0 });
});

test("an event that counts nothing changes nothing", () => {
  expect(
    changeOf({ type: "habit-learned", habit: "batchDelete", way: "refused", fact: "no", text: "one by one" }, now()),
  ).toBeUndefined();
});

test("a clock that is set back leaves no rates of times to come", async () => {
  let at = start;
  const statistics = await openStatistics(spool, () => new Date(at));
  at += 30 * 60_000;
  for (const name of ["A", "B", "C"]) statistics.count(archived(name));
  statistics.count({ type: "request", kind: "put", outcome: "ok" });
  at -= 400 * 86_400_000;
  expect([statistics.filesPerSecond, statistics.hourly.puts]).toEqual([0, 0]);
  statistics.count({ type: "request", kind: "put", outcome: "ok" });
  at += 30 * 60_000;
  expect(statistics.hourly.puts).toBeCloseTo(2);
});
