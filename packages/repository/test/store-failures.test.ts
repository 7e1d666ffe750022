import { formatTimelineHistory, lsnOfSegmentIndex } from "@soar/pg-tools";
import type { ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { expect, test } from "vitest";
import { listBackupDirectories, listBackupRecords } from "../src/records/backup-directories.ts";
import { requireBackupRecord } from "../src/records/backup-record.ts";
import { sha256Hex } from "../src/records/digest.ts";
import { readStorageUsage } from "../src/cost/cost-usage.ts";
import { appendTail } from "../src/chain/chain-tail.ts";
import { readWalChain } from "../src/chain/wal-chain.ts";
import { readExpiryState } from "../src/expiry/expiry-state.ts";
import { findStarted, listGaps, listLeases, putGap, putLease } from "../src/markers/marker-records.ts";
import { listTailPieces, listTailSegments, putTailPiece } from "../src/tail/tail-pieces.ts";
import { readTail } from "../src/tail/tail-read.ts";
import { findWalObjects, putWalFile } from "../src/wal/put-wal.ts";
import { readTimelines } from "../src/wal/read-timelines.ts";
import { listTimelines, listTimelineSegments } from "../src/wal/wal-inventory.ts";
import { readRecoveryWindow } from "../src/window/window-read.ts";
import { committedWal } from "./committed-wal.ts";
import { createSampleRepository, day, labelOf, SEGMENT_SIZE, segmentName } from "./sample-repository.ts";
import { sourceOf } from "./wal-samples.ts";

const history = {
  timeline: 2,
  entries: [{ timeline: 1, switchLsn: lsnOfSegmentIndex(11, SEGMENT_SIZE) + 16n, reason: "" }],
};
const shipped = committedWal(13, [day(13)], SEGMENT_SIZE);
shipped.writeUInt32LE(2, 4);

/** A repository with something of everything. */
async function createRepository(): Promise<ObjectStore> {
  const store = await createSampleRepository({
    now: day(20),
    backups: [{ day: 10 }, { day: 12, timeline: 2, unfinished: true }],
    wal: [],
  });
  await store.put("wal/00000002.history", Buffer.from(formatTimelineHistory(history)));
  for (const [index, timeline, codec] of [
    [10, 1, "zstd"],
    [11, 2, "none"],
    [12, 2, "none"],
  ] as const) {
    const written = committedWal(index, [], SEGMENT_SIZE);
    written.writeUInt32LE(timeline, 4);
    await putWalFile(store, sourceOf(segmentName(index, timeline), written, { tx: { n: 0 } }), { codec });
  }
  await ship(store);
  await putLease(store, {
    format: 1,
    id: "a",
    purpose: "verify",
    host: "h",
    labels: [],
    startedAt: day(20).toISOString(),
    expiresAt: day(21).toISOString(),
  });
  await putGap(store, {
    format: 1,
    from: segmentName(5),
    to: segmentName(6),
    declaredBy: "root",
    declaredAt: day(7).toISOString(),
    reason: "disk full",
  });
  return store;
}

const ship = (store: ObjectStore, to = shipped.length) =>
  putTailPiece(store, {
    segmentName: segmentName(13, 2),
    from: 0,
    bytes: shipped.subarray(0, to),
    sha256: sha256Hex(shipped.subarray(0, to)),
    systemIdentifier: "7000000000000000001",
  });

const OPERATIONS: readonly [string, (store: ObjectStore) => Promise<unknown>][] = [
  ["the restorable window", (store) => readRecoveryWindow(store, SEGMENT_SIZE)],
  ["what an expiry decides upon", (store) => readExpiryState(store, { now: day(20) })],
  ["what storage costs", (store) => readStorageUsage(store, { now: day(20), retentionDays: 30 })],
  ["a chain with its tail", async (store) => appendTail(store, await readWalChain(store, history, SEGMENT_SIZE, 10))],
  ["the directories of backups", listBackupDirectories],
  ["the records of backups", listBackupRecords],
  ["the record of a backup", (store) => requireBackupRecord(store, labelOf({ day: 10 }))],
  ["a claim", (store) => findStarted(store, labelOf({ day: 12 }))],
  ["leases", listLeases],
  ["gaps", listGaps],
  ["timelines", listTimelines],
  ["the history of a timeline", (store) => readTimelines(store, [1, 2])],
  ["the segments of a timeline", (store) => listTimelineSegments(store, 2, SEGMENT_SIZE)],
  ["the forms of a segment", (store) => findWalObjects(store, segmentName(10))],
  ["the segments of the tail", listTailSegments],
  ["the pieces of a segment", (store) => listTailPieces(store, segmentName(13, 2))],
  ["a tail", (store) => readTail(store, segmentName(13, 2))],
  ["a piece that is new", (store) => ship(store, 60)],
  ["a piece that is there", (store) => ship(store)],
];

test.each(OPERATIONS)(
  "%s: no failure of the store, at any call, is taken for something that is not there",
  async (_, run) => {
    const rehearsal = withFault(await createRepository());
    await run(rehearsal);
    expect(rehearsal.calls).toBeGreaterThan(0);
    for (let atCall = 1; atCall <= rehearsal.calls; atCall += 1) {
      const failing = withFault(await createRepository(), { atCall, when: "before" });
      await expect(run(failing), `call ${atCall} of ${rehearsal.calls}`).rejects.toMatchObject({
        code: "STORE_UNREACHABLE",
      });
    }
  },
);
