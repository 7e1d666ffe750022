import { mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putKeep } from "@soar/repository/markers";
import { createFileStore } from "@soar/storage";
import {
  archiveSample as archive,
  fillSampleRepository as fillRepository,
  putSampleBackup as putBackup,
  SAMPLE_LABEL as LABEL,
  sampleSegment as segmentBytes,
  SEGMENT_SIZE,
  segmentKey,
  segmentName,
} from "@soar-tooling/sample-repository";
import { describe, expect, test } from "vitest";
import { QUICK, STORED_AT, useSampleRepository } from "./sample-repository.fixture.ts";

const { find, repository, verify } = useSampleRepository();

describe("a healthy repository", () => {
  test("has no findings at any level, and all of it was read", async () => {
    expect(await find({ depth: QUICK })).toEqual([]);
    const totals: number[] = [];
    const report = await verify({ onEvent: (event) => event.type === "progress" && totals.push(event.done) });
    expect(report).toMatchObject({
      findings: [],
      backups: [{ label: LABEL, kind: "full", read: "full" }],
      wal: { segments: 8, read: 7 },
      unreadSince: undefined,
    });
    expect(report.window?.timelines.map(({ timeline, ranges }) => [timeline, ranges.length])).toEqual([
      [2, 1],
      [1, 1],
    ]);
    expect(totals.at(-1)).toBe(report.readBytes);
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
    expect(report.plainBytes).toBeGreaterThan(7 * SEGMENT_SIZE);
  });

  test("stays healthy while segments arrive in another order than they are listed", async () => {
    const { store } = repository;
    let listings = 0;
    // The page was fetched a moment before the segment arrived, and the next one behind it.
    repository.store = {
      ...store,
      async *list(prefix, options) {
        const isFirst = prefix === "" && (listings += 1) === 1;
        for await (const object of store.list(prefix, options))
          if (!isFirst || object.key !== segmentKey(5)) yield object;
      },
    };
    expect(await find({ depth: QUICK })).toEqual([]);
    expect(listings).toBe(1);
    await store.remove([segmentKey(5)]);
    expect(await find({ depth: QUICK })).toContainEqual(["wal-missing", segmentName(5), "error"]);
  });

  test("is healthy in a directory, too", async () => {
    const directory = mkdtempSync(join(tmpdir(), "soar-verify-"));
    try {
      repository.store = createFileStore({ directory });
      await fillRepository(repository.store);
      // As if it had been stored at the time that its records tell.
      for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }))
        utimesSync(join(directory, name), STORED_AT, STORED_AT);
      expect(await find()).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("stays healthy with an incremental, a pin, a partial segment, SHA-256 in the manifest and a second timeline in use", async () => {
    const base = await putBackup(repository.store, { label: "2025-01-06", first: 4, checksums: "SHA256" });
    await putBackup(repository.store, { label: "2025-01-06T030000Z", first: 5, base, state: 2 });
    await putKeep(repository.store, "2025-01-06", { format: 1, reason: "audit", keptAt: "2025-01-06T00:00:00.000Z" });
    await archive(repository.store, `${segmentName(6)}.partial`, segmentBytes(6));
    expect(await find()).toEqual([]);
    expect(await find({ depth: QUICK })).toEqual([]);
    expect(await find({ labels: ["2025-01-06"] })).toEqual([]);
  });
});
