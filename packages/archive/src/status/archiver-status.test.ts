import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatArchiverMetrics } from "./archiver-metrics.ts";
import { openStatistics } from "./archiver-statistics.ts";
import { readArchiverStatus, type StatusSources } from "./archiver-status.ts";
import { createPositionHistory } from "./position-history.ts";

let spool: string;
beforeEach(() => {
  spool = mkdtempSync(join(tmpdir(), "soar-status-"));
});
afterEach(() => rmSync(spool, { recursive: true }));

const SIZE = 2 ** 20;
const lsn = (segment: number, offset = 0): bigint => BigInt(segment * SIZE + offset);
const name = (index: number): string => `0000000100000000000000${index.toString(16).padStart(2, "0")}`.toUpperCase();
const start = Date.parse("2026-01-10T02:00:00Z");

async function sources(more: { pending?: number[]; archived?: number[]; flushed?: [bigint, number][]; tailLsn?: bigint }): Promise<StatusSources> {
  const history = createPositionHistory();
  for (const [position, atMs] of more.flushed ?? []) history.add(position, start + atMs);
  const state = { pending: (more.pending ?? []).map(name), archived: (more.archived ?? []).map(name) };
  const cluster = { systemIdentifier: "7", postgresMajor: 15, walSegmentSize: SIZE };
  return { archiver: { cluster, queue: { state, inFlight: 0 } }, statistics: await openStatistics(spool), history, tailLsn: more.tailLsn, now: new Date(start + 10_000) };
}

test("an idle server whose every commit is shipped owes nothing, however long ago the last segment was", async () => {
  const status = readArchiverStatus(await sources({ archived: [4], flushed: [[lsn(5, 500), 1_000]], tailLsn: lsn(5, 500) }));
  expect(status).toMatchObject({ unarchivedBytes: 0, oldestUnarchivedSeconds: 0, contiguousLsn: "0/500000", durableLsn: "0/5001F4", flushLsn: "0/5001F4" });
});

test("what is committed and not in the bucket is counted in bytes, and from the moment it was seen", async () => {
  const status = readArchiverStatus(await sources({ archived: [4], flushed: [[lsn(5, 100), 1_000], [lsn(5, 300), 4_000], [lsn(5, 700), 9_000]], tailLsn: lsn(5, 100) }));
  expect(status).toMatchObject({ unarchivedBytes: 600, oldestUnarchivedSeconds: 6 });
});

test("a tail behind a missing segment does not count", async () => {
  const status = readArchiverStatus(await sources({ archived: [3], pending: [4], flushed: [[lsn(4, 0), 0], [lsn(5, 100), 1_000]], tailLsn: lsn(5, 100) }));
  expect(status).toMatchObject({ queueDepth: 1, oldestPending: name(4), durableLsn: "0/400000", unarchivedBytes: SIZE + 100, oldestUnarchivedSeconds: 9 });
});

test("while the server cannot be asked, finished segments are counted whole", async () => {
  expect(readArchiverStatus(await sources({ archived: [3], pending: [4, 5] }))).toMatchObject({ unarchivedBytes: 2 * SIZE, flushLsn: undefined });
  expect(readArchiverStatus(await sources({}))).toMatchObject({ unarchivedBytes: 0, contiguousLsn: undefined, walAgeSeconds: undefined });
});

test("a server that has finished no segment yet owes what its tail lacks", async () => {
  const status = readArchiverStatus(await sources({ flushed: [[lsn(1, 100), 0]], tailLsn: lsn(1, 60) }));
  expect(status).toMatchObject({ contiguousLsn: "0/100000", unarchivedBytes: 40 });
});

test("counters survive a restart, and a damaged file begins at zero", async () => {
  const now = (): Date => new Date(start);
  const first = await openStatistics(spool, now);
  first.count({ type: "archived", name: name(4), outcome: "archived", sizeBytes: SIZE, storedBytes: 1_000, durationMs: 5 });
  first.count({ type: "tail-shipped", segmentName: name(5), endLsn: 1n, bytes: 10, storedBytes: 20, durationMs: 1 });
  first.count({ type: "failed", name: name(5), error: new Error("no"), attempts: 1, retryInMs: 5 });
  expect(first.filesPerSecond).toBeCloseTo(1 / 60);
  await first.save();
  const second = await openStatistics(spool, now);
  expect(second.counters).toEqual({
    archivedTotal: 1,
    errorsTotal: 1,
    uploadedBytesTotal: 1_020,
    tailPiecesTotal: 1,
    lastArchived: { name: name(4), at: "2026-01-10T02:00:00.000Z" },
    lastFailure: { name: name(5), at: "2026-01-10T02:00:00.000Z", message: "no" },
  });
  const text = formatArchiverMetrics(readArchiverStatus({ ...(await sources({ pending: [5] })), statistics: second }));
  expect(text).toContain("# TYPE backup_wal_queue_depth gauge\nbackup_wal_queue_depth 1\n");
  expect(text).toContain("backup_wal_age_seconds 10\n");
  expect(text).toContain("backup_wal_archived_total 1\n");
  writeFileSync(join(spool, "counters.json"), "{");
  expect((await openStatistics(spool)).counters.archivedTotal).toBe(0);
});

test("an hour without the store is remembered from its beginning, in bounded memory", () => {
  const history = createPositionHistory();
  for (let n = 1; n <= 10_000; n += 1) history.add(BigInt(n), n);
  expect(history.firstBeyond(0n)).toBe(1);
  expect(history.last).toEqual({ lsn: 10_000n, atMs: 10_000 });
  history.add(5n, 20_000);
  expect(history.firstBeyond(0n)).toBe(20_000);
});
