import { describe, expect, test } from "vitest";
import { scan, START } from "../../test/scan-wal.ts";
import { restorePointData, timestampBytes, WalBuilder } from "../../test/wal-builder.ts";
import { POSTGRES_EPOCH_MICROSECONDS } from "./record-fields.ts";
import type { WalRecord } from "./wal-record.ts";

test("restore points, origins and top-level xids are read as they stand", () => {
  const builder = new WalBuilder({ startLsn: START });
  builder.record({ rmid: 0, info: 0x70, data: restorePointData("x".repeat(64), 3n) });
  builder.record({
    rmid: 1,
    info: 0,
    xid: 5,
    body: Buffer.concat([Buffer.from([253, 1, 0, 252, 9, 0, 0, 0, 255, 8]), timestampBytes(-5n)]),
  });
  builder.record({ rmid: 200, info: 0, data: Buffer.alloc(3) });
  expect(scan(builder.bytes()).records).toMatchObject([
    { kind: "restore-point", name: "x".repeat(64) },
    { kind: "commit", xid: 5, time: POSTGRES_EPOCH_MICROSECONDS - 5n },
    { kind: "other", resourceManager: 200 },
  ]);
});

describe("records of the transaction manager", () => {
  /** A commit of a prepared transaction with these parts behind its time; the record itself has xid 5. */
  const commitPrepared = (info: number, ...parts: readonly Buffer[]): WalRecord | undefined => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record({ rmid: 1, info, xid: 5, data: Buffer.concat([timestampBytes(1n), ...parts]) });
    return scan(builder.bytes()).records[0];
  };
  const words = (...values: readonly number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);

  test("name the prepared transaction, whatever stands before it", () => {
    const [database, subtransactions, relations, invalidations, twoPhase, stats] = [1, 2, 4, 8, 16, 256];
    expect(commitPrepared(0xb0, words(twoPhase), words(77))).toMatchObject({ kind: "commit-prepared", xid: 77 });
    expect(commitPrepared(0xc0, words(twoPhase + database), words(1, 2, 78))).toMatchObject({
      kind: "abort-prepared",
      xid: 78,
    });
    const all = [
      words(1, 2),
      words(2, 11, 12),
      words(1, 1, 2, 3),
      words(2, 1, 2, 3, 4, 5, 6),
      words(1, 1, 2, 3, 4),
      words(79),
    ];
    expect(
      commitPrepared(0xb0, words(database + subtransactions + relations + stats + invalidations + twoPhase), ...all),
    ).toMatchObject({ xid: 79 });
  });

  test("fall back to their own xid when they name none", () => {
    expect(commitPrepared(0x30)).toMatchObject({ xid: 5 });
    expect(commitPrepared(0xb0, words(1), words(1, 2))).toMatchObject({ xid: 5 });
  });
});

test("the remaining records about recovery are read as they stand", () => {
  const builder = new WalBuilder({ startLsn: START });
  const lsn = Buffer.alloc(8);
  lsn.writeBigUInt64LE(START);
  builder.record({ rmid: 0, info: 0x50, data: lsn });
  builder.record({
    rmid: 0,
    info: 0x90,
    data: Buffer.concat([timestampBytes(4n), Buffer.from(Uint32Array.of(3, 2, 1).buffer)]),
  });
  builder.record({
    rmid: 0,
    info: 0x60,
    data: Buffer.concat([Buffer.from(Int32Array.of(1, 2, 3, 4, 5, 9).buffer), Buffer.from([1, 0, 0, 0])]),
  });
  expect(scan(builder.bytes()).records).toMatchObject([
    { kind: "backup-end", startLsn: START },
    { kind: "end-of-recovery", timeline: 3, previousTimeline: 2, time: POSTGRES_EPOCH_MICROSECONDS + 4n },
    {
      kind: "parameter-change",
      maxConnections: 1,
      maxLocksPerTransaction: 5,
      walLevel: "logical",
      walLogHints: true,
      trackCommitTimestamp: false,
    },
  ]);
});
