import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BackupRecord } from "@soar/repository";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseExposition } from "@soar-tooling/test-bench";
import { formatArchiverMetrics } from "./archiver-metrics.ts";
import { openStatistics } from "./archiver-statistics.ts";
import { readArchiverStatus, type StatusSources } from "./archiver-status.ts";
import { createPositionHistory } from "../server-wal/position-history.ts";
import type { RepositoryFacts } from "./repository-facts.ts";

let spool: string;
beforeEach(() => {
  spool = mkdtempSync(join(tmpdir(), "soar-status-"));
});
afterEach(() => rmSync(spool, { recursive: true }));

const SIZE = 2 ** 20;
const lsn = (segment: number, offset = 0): bigint => BigInt(segment * SIZE + offset);
const name = (index: number): string => `0000000100000000000000${index.toString(16).padStart(2, "0")}`.toUpperCase();
const start = Date.parse("2026-01-10T02:00:00Z");

async function sources(more: {
  pending?: number[];
  archived?: number[];
  flushed?: [bigint, number][];
  tailLsn?: bigint;
  oldestPendingAtMs?: number;
  repository?: RepositoryFacts;
}): Promise<StatusSources> {
  const history = createPositionHistory();
  for (const [position, atMs] of more.flushed ?? []) history.add(position, start + atMs);
  const state = { pending: (more.pending ?? []).map(name), archived: (more.archived ?? []).map(name) };
  const cluster = { systemIdentifier: "7", postgresMajor: 15, walSegmentSize: SIZE };
  return {
    isResident: true,
    cluster,
    queue: { state, inFlight: 0 },
    statistics: await openStatistics(spool),
    history,
    oldestPendingAtMs: more.oldestPendingAtMs,
    tailLsn: more.tailLsn,
    tailIntervalMs: 1_000,
    walDirectory: { bytes: 5 * SIZE, freeBytes: 36_000 * 100 },
    repository: more.repository,
    now: new Date(start + 10_000),
  };
}

test("an idle server whose every commit is shipped owes nothing, however long ago the last segment was", async () => {
  const status = readArchiverStatus(
    await sources({ archived: [4], flushed: [[lsn(5, 500), 1_000]], tailLsn: lsn(5, 500) }),
  );
  expect(status).toMatchObject({
    unarchivedBytes: 0,
    oldestUnarchivedSeconds: 0,
    contiguousLsn: "0/500000",
    durableLsn: "0/5001F4",
    flushLsn: "0/5001F4",
  });
});

test("what is committed and not in the bucket is counted in bytes, and from the moment it was seen", async () => {
  const status = readArchiverStatus(
    await sources({
      archived: [4],
      flushed: [
        [lsn(5, 100), 1_000],
        [lsn(5, 300), 4_000],
        [lsn(5, 700), 9_000],
      ],
      tailLsn: lsn(5, 100),
    }),
  );
  expect(status).toMatchObject({ unarchivedBytes: 600, oldestUnarchivedSeconds: 6 });
});

test("a tail behind a missing segment does not count", async () => {
  const status = readArchiverStatus(
    await sources({
      archived: [3],
      pending: [4],
      flushed: [
        [lsn(4, 0), 0],
        [lsn(5, 100), 1_000],
      ],
      tailLsn: lsn(5, 100),
    }),
  );
  expect(status).toMatchObject({
    queueDepth: 1,
    oldestPending: name(4),
    durableLsn: "0/400000",
    unarchivedBytes: SIZE + 100,
    oldestUnarchivedSeconds: 9,
  });
});

test("while the server cannot be asked, finished segments are counted whole", async () => {
  expect(readArchiverStatus(await sources({ archived: [3], pending: [4, 5] }))).toMatchObject({
    unarchivedBytes: 2 * SIZE,
    flushLsn: undefined,
  });
  expect(readArchiverStatus(await sources({}))).toMatchObject({
    unarchivedBytes: 0,
    contiguousLsn: undefined,
    walAgeSeconds: undefined,
  });
});

test("a server that has finished no segment yet owes what its tail lacks", async () => {
  const status = readArchiverStatus(await sources({ flushed: [[lsn(1, 100), 0]], tailLsn: lsn(1, 60) }));
  expect(status).toMatchObject({ contiguousLsn: "0/100000", unarchivedBytes: 40 });
});

test("what was finished before anybody looked is as old as its file says, also while the server cannot be asked", async () => {
  expect(
    readArchiverStatus(await sources({ archived: [3], pending: [4, 5], oldestPendingAtMs: start - 50_000 })),
  ).toMatchObject({ unarchivedBytes: 2 * SIZE, oldestUnarchivedSeconds: 60, flushLsn: undefined });
  const asked = await sources({
    archived: [3],
    pending: [4, 5],
    flushed: [[lsn(6, 10), 9_000]],
    oldestPendingAtMs: start - 50_000,
  });
  expect(readArchiverStatus(asked)).toMatchObject({ unarchivedBytes: 2 * SIZE + 10, oldestUnarchivedSeconds: 60 });
});

test("hours until pg_wal is full come from the difference of two positions and the free space", async () => {
  expect(readArchiverStatus(await sources({ flushed: [[lsn(5), 0]] }))).toMatchObject({
    walBytesPerSecond: undefined,
    hoursUntilFull: undefined,
  });
  expect(
    readArchiverStatus(
      await sources({
        flushed: [
          [lsn(5), 0],
          [lsn(5), 10_000],
        ],
      }),
    ),
  ).toMatchObject({ walBytesPerSecond: 0, hoursUntilFull: undefined });
  expect(
    readArchiverStatus(
      await sources({
        flushed: [
          [lsn(5), 0],
          [lsn(5, 1_000), 10_000],
        ],
      }),
    ),
  ).toMatchObject({ walBytesPerSecond: 100, hoursUntilFull: 10, pgWalBytes: 5 * SIZE });
});

test("a declared gap is open until a base backup begins behind it", async () => {
  const gap = {
    format: 1 as const,
    from: name(4),
    to: name(5),
    declaredBy: "dba",
    declaredAt: "2026-01-10T01:00:00Z",
    reason: "the link",
  };
  const backup = {
    label: "2026-01-10",
    startLsn: "0/500000",
    stoppedAt: "2026-01-10T01:59:10Z",
    durationMs: 90_000,
    sizes: { database: 77 },
  } as BackupRecord;
  const status = async (newestBackup: BackupRecord | undefined) =>
    readArchiverStatus(await sources({ archived: [6], repository: { newestBackup, runs: [], gaps: [gap] } }));
  expect(await status(undefined)).toMatchObject({
    baseBackup: undefined,
    gaps: [{ from: name(4), to: name(5), reason: "the link", isOpen: true }],
  });
  expect(await status(backup)).toMatchObject({
    baseBackup: { label: "2026-01-10", ageSeconds: 60, durationSeconds: 90, sizeBytes: 77 },
    gaps: [{ isOpen: true }],
  });
  const behind = await status({ ...backup, startLsn: "0/600028" });
  expect(behind.gaps).toMatchObject([{ isOpen: false }]);
  const families = parseExposition(formatArchiverMetrics(behind));
  expect(
    [families.get("backup_wal_gaps"), families.get("backup_wal_open_gaps")].map((family) => [
      ...(family?.samples.values() ?? []),
    ]),
  ).toEqual([[1], [0]]);
});

test("metrics that are not known are left out, and all others are what Prometheus can read", async () => {
  const families = parseExposition(formatArchiverMetrics(readArchiverStatus(await sources({}))));
  expect(families.has("backup_wal_age_seconds")).toBe(false);
  expect(families.has("backup_base_age_seconds")).toBe(false);
  expect(families.get("backup_wal_queue_depth")?.samples.get("backup_wal_queue_depth")).toBe(0);
});

test("an hour without the store is remembered from its beginning, in bounded memory", () => {
  const history = createPositionHistory();
  for (let n = 1; n <= 10_000; n += 1) history.add(BigInt(n), n);
  expect(history.firstBeyond(0n)).toBe(1);
  expect(history.last).toEqual({ lsn: 10_000n, atMs: 10_000 });
  history.add(5n, 20_000);
  expect(history.firstBeyond(0n)).toBe(20_000);
});
