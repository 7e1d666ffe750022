import {
  createTestCluster,
  postgresMajors,
  requireInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import { requires } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  completeSegments,
  scanSegments,
  type ScannedWal,
  segmentsOf,
  WAL_LOAD_SETTINGS,
  writeVariedWal,
} from "../../test/wal-load.ts";
import { readWalDump, type DumpedRecord } from "../../test/wal-dump.ts";
import { formatLsn, parseLsn } from "../wal-names/lsn.ts";
import { isTransactionEnd, type WalRecord } from "./wal-record.ts";

describe.each([1, 64])("WAL with segments of %i MiB, beside pg_waldump", requires("postgres-clients"), (mib) => {
  let cluster: TestCluster;
  let names: readonly string[];
  let scanned: ScannedWal;
  let dumped: readonly DumpedRecord[];

  beforeAll(async () => {
    cluster = await createTestCluster({
      installation: requireInstallation("pg_waldump", "pg_controldata"),
      settings: WAL_LOAD_SETTINGS,
      initdbArgs: [`--wal-segsize=${mib}`],
    });
    await writeVariedWal(cluster);
    await cluster.configure({ max_connections: 60, max_locks_per_transaction: 99 });
    await cluster.restart();
    await cluster.query("INSERT INTO t VALUES (-100, 'x')");
    names = await completeSegments(cluster);
    scanned = await scanSegments(cluster, names);
    dumped = await readWalDump(cluster, names);
  });
  afterAll(() => cluster.remove());

  test("has the same records at the same positions", () => {
    expect(scanned.scanner.end).toBeUndefined();
    expect(scanned.records.length).toBeGreaterThan(3000);
    expect(scanned.records.map(({ lsn }) => formatLsn(lsn))).toEqual(dumped.map(({ lsn }) => formatLsn(lsn)));
  });

  test("has the same transactions, restore points and changes of settings", () => {
    const described = scanned.records.map(describeLikeDump).filter((text) => text !== undefined);
    expect(described).toEqual(dumped.map(({ description }) => description).filter((text) => text !== undefined));
    for (const kind of [
      "COMMIT ",
      "ABORT ",
      "PREPARE ",
      "COMMIT_PREPARED ",
      "ABORT_PREPARED ",
      "RESTORE_POINT sécond",
      "PARAMETER_CHANGE max_connections=60",
      "CHECKPOINT_SHUTDOWN",
      "CHECKPOINT_ONLINE",
      "SWITCH",
    ]) {
      expect(
        described.some((text) => text.startsWith(kind)),
        kind,
      ).toBe(true);
    }
  });

  test("chains each record to the one before", () => {
    for (const [i, record] of scanned.records.entries()) {
      const before = scanned.records[i - 1];
      if (before !== undefined) expect(record.previousEndLsn).toBe(before.endLsn);
      expect(record.endLsn).toBeGreaterThan(record.lsn);
    }
    expect(scanned.scanner.validEndLsn).toBe(scanned.records.at(-1)?.endLsn);
  });
});

describe.each(postgresMajors())("WAL of PostgreSQL $version, beside the server's own functions", (installation) => {
  let cluster: TestCluster;
  let scanned: ScannedWal;

  beforeAll(async () => {
    cluster = await createTestCluster({ installation, settings: WAL_LOAD_SETTINGS, initdbArgs: ["--wal-segsize=2"] });
    await writeVariedWal(cluster);
    scanned = await scanSegments(cluster, await segmentsOf(cluster));
  });
  afterAll(() => cluster.remove());

  test("ends where the server has written to", async () => {
    const [row] = await cluster.query<{ lsn: string }>("SELECT pg_current_wal_flush_lsn() AS lsn");
    expect(scanned.scanner.end).toMatchObject({ cause: "zeros", lsn: scanned.scanner.validEndLsn });
    expect(scanned.scanner.validEndLsn).toBe(parseLsn(row?.lsn ?? ""));
    expect(scanned.scanner.header?.pgMajor).toBe(installation.major);
  });

  test("has every commit with the time that the server has kept", async () => {
    const commits = scanned.records.filter(isTransactionEnd).filter(({ kind }) => kind.startsWith("commit"));
    const rows = await cluster.query<{ xid: number; time: string | null }>(
      "SELECT x AS xid, (extract(epoch FROM pg_xact_commit_timestamp(x::text::xid)) * 1000000)::bigint::text AS time FROM generate_series(3, (SELECT max(backend_xmin::text::int) FROM pg_stat_activity) - 1) x",
    );
    const kept = new Map(rows.filter(({ time }) => time !== null).map(({ xid, time }) => [xid, BigInt(time ?? 0)]));
    const found = new Map(commits.filter(({ xid }) => kept.has(xid)).map(({ xid, time }) => [xid, time]));
    expect(found.size).toBeGreaterThan(100);
    for (const [xid, time] of found) expect(kept.get(xid), `xid ${xid}`).toBe(time);
  });

  test("has the prepared transactions under their own xids", () => {
    const prepared = new Map(
      scanned.records.filter((record) => record.kind === "prepare").map(({ gid, xid }) => [gid, xid]),
    );
    const ends = scanned.records.filter(isTransactionEnd).filter(({ kind }) => kind.endsWith("-prepared"));
    expect(ends.map(({ kind, xid }) => [kind, xid])).toEqual([
      ["commit-prepared", prepared.get("ends well")],
      ["abort-prepared", prepared.get("ends badly")],
      ["commit-prepared", prepared.get("plain")],
    ]);
    expect(prepared.get("plain")).toBeGreaterThan(600);
  });

  test("has restore points, switches and a checkpoint", () => {
    const names = scanned.records.filter((record) => record.kind === "restore-point").map(({ name }) => name);
    expect(names).toEqual(["first", "sécond"]);
    expect(scanned.records.filter(({ kind }) => kind === "switch")).toHaveLength(2);
    expect(scanned.records.find((record) => record.kind === "checkpoint" && !record.shutdown)).toMatchObject({
      timeline: 1,
      previousTimeline: 1,
    });
  });
});

/** What pg_waldump prints for the decoded records. */
function describeLikeDump(record: WalRecord): string | undefined {
  switch (record.kind) {
    case "commit":
    case "abort":
      return `${record.kind.toUpperCase()} ${record.xid} ${record.time}`;
    case "commit-prepared":
    case "abort-prepared":
      return `${record.kind.toUpperCase().replace("-", "_")} ${record.xid}: ${record.time}`;
    case "prepare":
      return `PREPARE gid ${record.gid}: ${record.time}`;
    case "restore-point":
      return `RESTORE_POINT ${record.name}`;
    case "parameter-change":
      return `PARAMETER_CHANGE max_connections=${record.maxConnections} max_worker_processes=${record.maxWorkerProcesses} max_wal_senders=${record.maxWalSenders} max_prepared_xacts=${record.maxPreparedTransactions} max_locks_per_xact=${record.maxLocksPerTransaction} wal_level=${record.walLevel} wal_log_hints=${record.walLogHints ? "on" : "off"} track_commit_timestamp=${record.trackCommitTimestamp ? "on" : "off"}`;
    case "checkpoint":
      return `CHECKPOINT_${record.shutdown ? "SHUTDOWN" : "ONLINE"} redo ${formatLsn(record.redoLsn)}; tli ${record.timeline}; prev tli ${record.previousTimeline}`;
    case "switch":
      return "SWITCH";
    default:
      return undefined;
  }
}
