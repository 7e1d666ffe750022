import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NO_COUNTERS } from "./archiver-counters.ts";
import { readCounters, updateCounters } from "./counters-file.ts";
import { readCachedFacts, writeCachedFacts } from "./facts-cache.ts";
import type { RepositoryFacts } from "./repository-facts.ts";

let spool: string;
beforeEach(() => {
  spool = mkdtempSync(join(tmpdir(), "soar-records-"));
});
afterEach(() => rmSync(spool, { recursive: true }));

describe("counters", () => {
  const put = (value: unknown) => writeFileSync(join(spool, "counters.json"), JSON.stringify(value));

  test("are read as they were written", async () => {
    const written = await updateCounters(
      spool,
      {
        archived: 3,
        requests: { "put ok": 4 },
        baseBackups: [{ stoppedAt: "2026-01-10T02:00:00.000Z", seconds: 100 }],
        lastArchived: { name: "000000010000000000000001", at: "2026-01-10T02:00:00.123Z" },
        lastFailure: { name: "x", at: "2026-01-10T02:00:01.000Z", code: undefined, message: "m", hint: undefined },
      },
      { patienceMs: 1000 },
    );
    expect(await readCounters(spool)).toEqual(written);
  });

  test("go on beside one that cannot be a count", async () => {
    put({
      archivedTotal: "three",
      errorsTotal: 3,
      uploadedBytesTotal: -1,
      requestsTotal: { "put ok": 2, "get ok": null },
      baseBackups: { count: 1, sumSeconds: 5, buckets: [1] },
      lastArchived: { name: "000000010000000000000001", at: "yesterday" },
      lastFailure: { name: 7 },
    });
    expect(await readCounters(spool)).toEqual({
      ...NO_COUNTERS,
      errorsTotal: 3,
      requestsTotal: { "put ok": 2, "get ok": 0 },
    });
  });

  test.each([null, 3, [], "text"])("begin at zero where the file holds %j", async (value) => {
    put(value);
    expect(await readCounters(spool)).toEqual(NO_COUNTERS);
  });
});

describe("facts of the repository", () => {
  const readAt = "2026-01-10T02:00:00.000Z";
  const facts: RepositoryFacts = {
    newestBackup: {
      label: "2026-01-10",
      startLsn: "0/28",
      stoppedAt: readAt,
      durationMs: 5,
      sizes: { database: 1, tar: 2, stored: 3, new: 4 },
    },
    runs: [{ stoppedAt: readAt, seconds: 0.005 }],
    gaps: [{ format: 1, from: "A", to: "B", declaredBy: "me", declaredAt: readAt, reason: "disk" }],
  };

  test("are read as they were written, also when there is no backup", async () => {
    for (const one of [facts, { ...facts, newestBackup: undefined }]) {
      await writeCachedFacts(spool, { readAt, facts: one });
      expect(await readCachedFacts(spool)).toEqual({ readAt, facts: one });
    }
  });

  test.each<[string, unknown]>([
    ["no JSON", undefined],
    ["no record", null],
    ["without a time", { facts }],
    ["with a gap that is none", { readAt, facts: { ...facts, gaps: [{ from: 1 }] } }],
    ["with a backup that lacks its sizes", { readAt, facts: { ...facts, newestBackup: { label: "x" } } }],
  ])("count as unknown when the file is damaged: %s", async (_what, value) => {
    writeFileSync(join(spool, "repository.json"), value === undefined ? "{" : JSON.stringify(value));
    expect(await readCachedFacts(spool)).toBeUndefined();
  });
});
