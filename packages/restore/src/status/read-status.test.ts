import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatWalSegment } from "@soar/pg-tools";
import { walKey } from "@soar/repository/wal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRestoreStatus } from "./read-status.ts";
import { lockRestore } from "./restore-lock.ts";
import { writeRestoreRecord, type RestoreRecord } from "./restore-record.ts";

const SIZE = 2 ** 24;
let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "soar-status-"));
  mkdirSync(join(dataDir, "soar-restore"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const name = (index: number): string => formatWalSegment({ timeline: 1, index }, SIZE);

async function leave(record: Partial<RestoreRecord>, restored: readonly number[] = []): Promise<void> {
  const segments = [4, 5, 6, 7].map((index) => ({ name: name(index), key: walKey(name(index), "zstd"), size: 1 }));
  writeFileSync(
    join(dataDir, "soar-restore", "lineage.json"),
    JSON.stringify({ format: 1, timeline: 1, systemIdentifier: "7", segmentSize: SIZE, firstIndex: 4, segments }),
  );
  // What an earlier recovery has said does not count.
  const earlier = `LOG:  restored log file "${name(7)}" from archive\n`;
  writeFileSync(
    join(dataDir, "soar-restore", "server.log"),
    `${earlier}${restored.map((index) => `2026-01-10 [7] LOG:  restored log file "${name(index)}" from archive\n`).join("")}`,
  );
  await writeRestoreRecord(
    dataDir,
    {
      format: 1,
      phase: "recover",
      systemIdentifier: "7",
      backup: "2026-01-10",
      target: "latest",
      // The end of segment 6: the one behind it is not needed.
      stopLsn: "0/7000000",
      timeline: 1,
      action: "promote",
      tablespaces: [],
      processId: process.pid,
      startedAt: new Date(Date.now() - 10_000).toISOString(),
      logOffset: earlier.length,
      recoveryBegunAt: new Date(Date.now() - 10_000).toISOString(),
      fetchedBytes: 0,
      sparedBytes: 0,
      totalBytes: 1000,
      ...record,
    },
    undefined,
  );
}

test("there is none where nothing is restored", async () => {
  expect(await readRestoreStatus(dataDir)).toBeUndefined();
  expect(await readRestoreStatus(join(dataDir, "nothing"))).toBeUndefined();
});

test("of a download tells what is left at the pace so far", async () => {
  await leave({ phase: "fetch", fetchedBytes: 250 });
  const lock = await lockRestore(dataDir, undefined);
  const found = await readRestoreStatus(dataDir);
  expect(found).toMatchObject({ running: true, replayedLsn: undefined, segments: undefined });
  // 10 s for a quarter; the test itself takes some time, too.
  expect(found?.remainingMs).toBeGreaterThanOrEqual(30_000);
  await leave({ phase: "fetch" });
  expect((await readRestoreStatus(dataDir))?.remainingMs).toBeUndefined();
  await lock.release();
  await leave({ phase: "fetch", fetchedBytes: 250 });
  expect((await readRestoreStatus(dataDir))?.remainingMs).toBeUndefined();
});

test("of recovery tells the segment that was delivered last, of those up to the target, and the commit that was reached", async () => {
  await leave({ replayedTime: "2026-01-10T14:29:59.000Z" }, [4, 5]);
  expect(await readRestoreStatus(dataDir)).toMatchObject({
    record: { replayedTime: "2026-01-10T14:29:59.000Z" },
    replayedLsn: "0/5000000",
    segments: { replayed: 1, total: 3 },
    remainingMs: expect.any(Number) as number,
  });
  await leave({}, [4, 5, 6]);
  expect(await readRestoreStatus(dataDir)).toMatchObject({
    replayedLsn: "0/6000000",
    segments: { replayed: 2, total: 3 },
  });
});

test("of recovery that goes on where an earlier run had got promises the rest at its own pace", async () => {
  // Until the end of segment 8: of three that this run has to replay one is done, after 10 s.
  await leave({ stopLsn: "0/9000000" }, [6, 7]);
  const found = await readRestoreStatus(dataDir);
  expect(found?.segments).toEqual({ replayed: 3, total: 5 });
  expect(found?.remainingMs).toBeGreaterThanOrEqual(20_000);
  await leave({ stopLsn: "0/9000000" }, [6]);
  expect((await readRestoreStatus(dataDir))?.remainingMs).toBeUndefined();
  await leave({ recoveryBegunAt: undefined }, [4, 5]);
  expect(await readRestoreStatus(dataDir)).toMatchObject({ segments: { replayed: 1 }, remainingMs: undefined });
});

test("of recovery that was not given anything yet, or left no log, tells no more than that", async () => {
  await leave({}, []);
  expect(await readRestoreStatus(dataDir)).toMatchObject({
    replayedLsn: undefined,
    segments: undefined,
    remainingMs: undefined,
  });
  rmSync(join(dataDir, "soar-restore", "server.log"));
  expect(await readRestoreStatus(dataDir)).toMatchObject({ replayedLsn: undefined });
});

test("of what is over but for its end promises no more replay", async () => {
  await leave(
    {
      phase: "finish",
      outcome: {
        kind: "promoted",
        timeline: 2,
        reachedLsn: "1",
        lastCommitTime: undefined,
        restoredFiles: 3,
        stop: undefined,
        checks: undefined,
      },
    },
    [4, 5, 6],
  );
  expect(await readRestoreStatus(dataDir)).toMatchObject({
    record: { phase: "finish" },
    replayedLsn: undefined,
    segments: undefined,
    remainingMs: undefined,
  });
});

test("tells a process that is gone, also when its id was given out again", async () => {
  await leave({ processId: process.pid });
  expect(await readRestoreStatus(dataDir)).toMatchObject({ running: false });
  await leave({ processId: 2 ** 22 + 1 });
  expect(await readRestoreStatus(dataDir)).toMatchObject({ running: false });
});

test.each(["", "{}", '{"format":2}'])("a record that is none (%j) is an error and not nothing", async (text) => {
  writeFileSync(join(dataDir, "soar-restore", "restore.json"), text);
  await expect(readRestoreStatus(dataDir)).rejects.toMatchObject({ code: "FORMAT_INVALID" });
});

const OUTCOME = { timeline: 2, restoredFiles: 1 };

test.each<[string, object]>([
  ["a tablespace without a directory", { tablespaces: [[16_420]] }],
  ["a recovery that is over and came to nothing", { phase: "finish", outcome: undefined }],
  ["an outcome of another shape", { phase: "finish", outcome: { timeline: "2" } }],
  ["a place for WAL that is no path", { savedWal: 7 }],
  ["a reached position that is no number", { phase: "opened", outcome: { ...OUTCOME, reachedLsn: "0/5000000" } }],
  ["a last commit at no time", { phase: "finish", outcome: { ...OUTCOME, lastCommitTime: "yesterday" } }],
  ["a planned end that is no position", { stopLsn: "the end" }],
  ["a beginning at no time", { startedAt: "" }],
  ["a log that begins before its beginning", { logOffset: -1 }],
  ["files whose newest is of no time", { left: { files: 1, digest: "", newest: "1e3", control: "" } }],
])("a record with %s is none", async (_what, changes) => {
  await leave({});
  const path = join(dataDir, "soar-restore", "restore.json");
  const whole = JSON.parse(readFileSync(path, "utf8")) as object;
  expect(await readRestoreStatus(dataDir)).toBeDefined();
  writeFileSync(path, JSON.stringify({ ...whole, ...changes }));
  await expect(readRestoreStatus(dataDir)).rejects.toMatchObject({ code: "FORMAT_INVALID" });
});
