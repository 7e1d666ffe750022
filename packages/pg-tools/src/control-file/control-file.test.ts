import { expect, test } from "vitest";
import { checkWalSegmentHeader } from "../wal-records/check-wal-segment-header.ts";
import { readWalPageHeader } from "../wal-records/wal-page-header.ts";
import { readControlFile } from "./control-file.ts";

/** What is used of the file that PostgreSQL 19~rc1 left behind at its shutdown. */
const OF_19 = `EL8E1SpCDmtxBwAAjZUTDAEAAAAAAAAAb0MOawAAAADYEKgCAAAAANgQqAIAAAAAAQAAAAEAAAABAAAAAQAAAAAAAAAAAAAAnQIAAAAAAAAHQAAAAgAAAAMA
AAAAAAAAnAIAAAUAAAACAAAABQAAAG9DDmsAAAAAAAAAAAAAAAAAAAAAAAAAAOgDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AQAAAAAAAABkAAAACAAAAAoAAAAAAAAAgAAAAAAAAAAIAAAAAAAAAIfWMkEAIAAAAAACACAAAAAAIAAAAAAAAUAAAAAgAAAAzAcAAAAIAAABAAAAAQAAAAEA
AAABObHqk6sYkWa7b8l8Cq/5AxQXidxwexBYJuatMgliXYUAAAAh4QB5`;

/** What its pg_controldata said of it. */
const SAID = {
  systemIdentifier: 7714175963462156048n,
  pgMajor: 19,
  controlVersion: 1905,
  catalogVersion: 202610061,
  state: "shut-down",
  modifiedTime: BigInt(Date.parse("2026-12-01T03:47:59Z")) * 1000n,
  checkpointLsn: 0x2a8_10d8n,
  redoLsn: 0x2a8_10d8n,
  timeline: 1,
  previousTimeline: 1,
  fullPageWrites: true,
  nextXid: 669,
  nextMulti: 2,
  nextMultiMember: 3,
  checkpointTime: BigInt(Date.parse("2026-12-01T03:47:59Z")) * 1000n,
  minRecoveryLsn: 0n,
  minRecoveryTimeline: 0,
  backupStartLsn: 0n,
  backupEndLsn: 0n,
  backupEndRequired: false,
  walLevel: "replica",
  walLogHints: false,
  maxConnections: 100,
  maxWorkerProcesses: 8,
  maxWalSenders: 10,
  maxPreparedTransactions: 0,
  maxLocksPerTransaction: 128,
  trackCommitTimestamp: false,
  blockSize: 8192,
  blocksPerRelationFile: 131_072,
  walBlockSize: 8192,
  walSegmentSize: 16 * 2 ** 20,
  dataChecksumVersion: 1,
};

/** Other majors, and 19 where it is installed, are asked themselves by the integration test. */
test("the pg_control of PostgreSQL 19 says what pg_controldata says of it", () => {
  const used = Buffer.from(OF_19, "base64");
  expect(readControlFile(Buffer.concat([used, Buffer.alloc(8192 - used.length)]))).toEqual(SAID);
});

test("the first page of a segment of PostgreSQL 19 is known as its", () => {
  const header = Buffer.from("22d10200010000000000000100000000000000000000000010bf04d52a420e6b0000000100200000", "hex");
  expect(readWalPageHeader(header)).toMatchObject({ magic: 0xd122, pgMajor: 19, pageAddress: 0x100_0000n });
  expect(checkWalSegmentHeader(header, { name: "000000010000000000000001" })).toMatchObject({
    pgMajor: 19,
    systemIdentifier: SAID.systemIdentifier,
  });
});
