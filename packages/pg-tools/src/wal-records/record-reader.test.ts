import { expect, test } from "vitest";
import { NAME, scan, START } from "../../test/scan-wal.ts";
import { commitRecord, heapRecord, WalBuilder } from "../../test/wal-builder.ts";
import { requireMajor } from "../majors/find-major.ts";
import type { WalFormat } from "../majors/supported-majors.ts";
import { checkWalSegmentHeader } from "./check-wal-segment-header.ts";
import { createPageSplitter } from "./page-splitter.ts";
import { RecordReader } from "./record-reader.ts";

/** On nearly every page of 15 to 18, where it means nothing to a reader; 19 gave the bit to records that a crash cut off. */
const XLP_BKP_REMOVABLE = 0x04;

function withFlag(bytes: Buffer, page: number, flag: number): Buffer {
  const at = page * 8192 + 2;
  bytes.writeUInt16LE(bytes.readUInt16LE(at) | flag, at);
  return bytes;
}

function positionsIn(bytes: Buffer, format: WalFormat): number[] {
  const found: number[] = [];
  const reader = new RecordReader(checkWalSegmentHeader(bytes, { name: NAME }), format, ({ start }) =>
    found.push(start),
  );
  const splitter = createPageSplitter(
    () => 8192,
    (piece, view, offset) => reader.readPage(piece, view, offset),
  );
  splitter.push(bytes);
  return found;
}

test("a page that continues a record may be flagged as removable", () => {
  const builder = new WalBuilder({ startLsn: START });
  builder.record(heapRecord(9000));
  builder.record(commitRecord(1, 1n));
  expect(scan(withFlag(builder.bytes(), 1, XLP_BKP_REMOVABLE)).records).toHaveLength(2);
});

test("the flag of a record that a crash cut off is that of the major", () => {
  const builder = new WalBuilder({ startLsn: START });
  builder.cutRecord(heapRecord(9000));
  const after = Number(builder.record(commitRecord(1, 1n)) - START);
  const bytes = builder.bytes();
  const { wal } = requireMajor(15);
  expect(positionsIn(bytes, wal)).toEqual([after]);
  bytes.writeUInt16LE(0x04, 8192 + 2);
  expect(positionsIn(bytes, wal)).toEqual([]);
  expect(positionsIn(bytes, { ...requireMajor(19).wal, pageMagic: wal.pageMagic })).toEqual([after]);
});
