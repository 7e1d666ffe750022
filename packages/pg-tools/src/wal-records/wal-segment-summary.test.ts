import { describe, expect, test } from "vitest";
import {
  BUILT_SYSTEM_IDENTIFIER,
  commitRecord,
  heapRecord,
  restorePointData,
  WalBuilder,
} from "../../test/wal-builder.ts";
import { POSTGRES_EPOCH_MICROSECONDS } from "./record-fields.ts";
import { createWalSummarizer, summarizeWalSegment } from "./wal-segment-summary.ts";

const MIB = 2 ** 20;
const START = 5n * 2n ** 20n;
const name = "000000010000000000000005";

describe("the summary of a segment", () => {
  test("holds what is needed to find an instant", () => {
    const builder = new WalBuilder({ startLsn: START });
    // Far apart and out of order, below and above the year 2000.
    builder.record(commitRecord(1, 845_000_000_000_123n));
    builder.record({ ...commitRecord(2, -7n), info: 0x20 });
    builder.record({ ...commitRecord(3, 845_000_000_000_122n), info: 0x30 });
    builder.record({ ...commitRecord(4, 9n), info: 0x40 });
    builder.record({ rmid: 1, info: 0x10, data: Buffer.alloc(80, 0xee) });
    builder.record({ rmid: 0, info: 0x70, data: restorePointData("ä", 2n ** 60n) });
    builder.record({ rmid: 0, info: 0x50, data: Buffer.alloc(8) });
    builder.record(heapRecord(10));
    builder.switchSegment();
    expect(summarizeWalSegment(builder.bytes(), { name })).toEqual({
      name,
      segmentSize: MIB,
      systemIdentifier: BUILT_SYSTEM_IDENTIFIER,
      timeline: 1,
      startLsn: START,
      pgMajor: 15,
      commitCount: 2,
      abortCount: 2,
      earliestTime: POSTGRES_EPOCH_MICROSECONDS - 7n,
      latestTime: POSTGRES_EPOCH_MICROSECONDS + 845_000_000_000_123n,
      restorePoints: ["ä"],
      startsInsideRecord: false,
      endsInsideRecord: false,
      endsInsideTransactionEnd: false,
      validEndLsn: START + BigInt(MIB),
      end: undefined,
    });
  });

  test("holds the largest parameters that starts of the server recorded", () => {
    const builder = new WalBuilder({ startLsn: START });
    const change = (...values: readonly number[]) => {
      const data = Buffer.alloc(28);
      for (const [index, value] of values.entries()) data.writeInt32LE(value, index * 4);
      builder.record({ rmid: 0, info: 0x60, data });
    };
    change(100, 8, 10, 0, 64);
    change(40, 16, 10, 7, 64);
    builder.switchSegment();
    expect(summarizeWalSegment(builder.bytes(), { name }).parameters).toEqual([100, 16, 10, 7, 64]);
  });

  test("has no times when nothing ended, and says where WAL ends", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(10));
    const summarizer = createWalSummarizer({ name });
    summarizer.push(builder.bytes().subarray(0, 100));
    expect(summarizer.finish()).toMatchObject({
      commitCount: 0,
      earliestTime: undefined,
      latestTime: undefined,
      end: { cause: "zeros" },
    });
  });

  test("does not take the bytes of two segments for one, nor none for one", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(1.5 * MIB));
    expect(() => summarizeWalSegment(builder.bytes(), { name })).toThrow(
      expect.objectContaining({ code: "WAL_INVALID" }),
    );
    expect(summarizeWalSegment(builder.bytes().subarray(0, MIB), { name })).toMatchObject({
      endsInsideRecord: true,
      endsInsideTransactionEnd: false,
    });
    expect(() => summarizeWalSegment(Buffer.alloc(0), { name })).toThrow(
      expect.objectContaining({ code: "WAL_INVALID" }),
    );
    const summarizer = createWalSummarizer({ name });
    summarizer.push(builder.bytes().subarray(0, 20));
    expect(() => summarizer.finish()).toThrow(expect.objectContaining({ code: "WAL_INVALID" }));
  });
});
