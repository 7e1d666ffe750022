import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, postgresMajors, tearRecord, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterEach, describe, expect, test } from "vitest";
import { completeSegments, scanSegments, segmentsOf } from "../../test/wal-load.ts";
import { setRecoveryMode, writeRecoverySettings } from "../recovery-config/recovery-config.ts";
import { parseTimelineHistory } from "../timeline/timeline-history.ts";
import { parseLsn } from "../wal-names/lsn.ts";
import { checkWalSegmentHeader } from "./check-wal-segment-header.ts";
import { summarizeWalSegment } from "./wal-segment-summary.ts";

const settings = { wal_keep_size: "64MB", autovacuum: false };

describe.each(postgresMajors())("WAL of PostgreSQL $version after accidents", (installation) => {
  let cluster: TestCluster;
  afterEach(() => cluster.remove());

  const create = async (more: Record<string, string | number> = {}): Promise<TestCluster> =>
    (cluster = await createTestCluster({
      installation,
      settings: { ...settings, ...more },
      initdbArgs: ["--wal-segsize=1"],
    }));

  test("goes on behind a record that a crash cut off", async () => {
    await create();
    await cluster.query("CREATE TABLE t AS SELECT 1 AS x");
    const before = (await completeSegments(cluster)).length;
    // A record over three segments; then the machine "forgets" all but the first of them.
    await cluster.query("CHECKPOINT");
    await cluster.query("SELECT pg_logical_emit_message(false, 'test', repeat('x', 3000000))");
    const names = await segmentsOf(cluster);
    await cluster.kill();
    for (const name of names.slice(before + 1)) await rm(join(cluster.dataDir, "pg_wal", name));
    await cluster.start();
    await cluster.query("INSERT INTO t VALUES (2)");

    const { records, scanner } = await scanSegments(cluster, await completeSegments(cluster));
    expect(scanner.end).toBeUndefined();
    const overwrite = records.find(({ kind }) => kind === "overwrite-contrecord");
    const [{ lsn } = { lsn: "" }] = await cluster.query<{ lsn: string }>("SELECT pg_current_wal_flush_lsn() AS lsn");
    expect(overwrite).toMatchObject({ overwrittenLsn: overwrite?.previousEndLsn });
    expect(records.at(-1)).toMatchObject({ kind: "switch", endLsn: parseLsn(lsn) });
    expect(records.filter(({ kind }) => kind === "commit").at(-1)?.lsn).toBeGreaterThan(overwrite?.lsn ?? 0n);
  });

  // Behind a page header with a flag that has another bit from PostgreSQL 19 on.
  test("goes on behind a record that a crash cut off in the middle of a segment", async () => {
    await create();
    await cluster.query("CREATE TABLE t AS SELECT 1 AS x");
    await completeSegments(cluster);
    await tearRecord(cluster);
    await cluster.query("INSERT INTO t VALUES (2)");

    const { records, scanner } = await scanSegments(cluster, await completeSegments(cluster));
    expect(scanner.end).toBeUndefined();
    const overwrite = records.find(({ kind }) => kind === "overwrite-contrecord");
    expect(overwrite).toMatchObject({ overwrittenLsn: overwrite?.previousEndLsn });
    expect(records.filter(({ kind }) => kind === "commit").at(-1)?.lsn).toBeGreaterThan(overwrite?.lsn ?? 0n);
  });

  test("is told from what a recycled file held before", async () => {
    await create({ wal_keep_size: 0, max_wal_size: "4MB", min_wal_size: "4MB" });
    for (let i = 0; i < 4; i++) {
      await cluster.query("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1500000))");
      await cluster.query("SELECT pg_switch_wal()");
      await cluster.query("CHECKPOINT");
    }
    await cluster.query("CREATE TABLE t AS SELECT 1 AS x");
    const [row] = await cluster.query<{ current: string; lsn: string }>(
      "SELECT pg_walfile_name(pg_current_wal_flush_lsn()) AS current, pg_current_wal_flush_lsn() AS lsn",
    );
    await cluster.kill();
    const directory = join(cluster.dataDir, "pg_wal");
    const future = (await readdir(directory)).filter(
      (name) => /^[0-9A-F]{24}$/.test(name) && name > (row?.current ?? ""),
    );
    expect(future.length).toBeGreaterThan(0);
    for (const name of future) {
      const bytes = await readFile(join(directory, name));
      expect(() => checkWalSegmentHeader(bytes, { name })).toThrow(expect.objectContaining({ code: "WAL_INVALID" }));
    }
    const name = row?.current ?? "";
    const summary = summarizeWalSegment(await readFile(join(directory, name)), { name });
    expect(summary).toMatchObject({ commitCount: 1, end: { lsn: parseLsn(row?.lsn ?? "") } });
  });

  test("goes over to a new timeline in a segment that the older one began", async () => {
    await create();
    await cluster.query("CREATE TABLE t AS SELECT 1 AS x");
    await cluster.stop();
    await writeRecoverySettings(cluster.dataDir, { restore_command: "false" });
    await setRecoveryMode(cluster.dataDir, "recovery");
    await cluster.start();
    await expect
      .poll(async () => (await cluster.query("SELECT pg_is_in_recovery() AS recovering"))[0], {
        timeout: 30_000,
        interval: 20,
      })
      .toEqual({ recovering: false });
    await cluster.query("INSERT INTO t VALUES (2)");

    const history = parseTimelineHistory(await readFile(join(cluster.dataDir, "pg_wal/00000002.history"), "utf8"), 2);
    const names = (await completeSegments(cluster)).filter((name) => name.startsWith("00000002"));
    const bytes = await readFile(join(cluster.dataDir, "pg_wal", names[0] ?? ""));
    expect(checkWalSegmentHeader(bytes, { name: names[0] ?? "" })).toMatchObject({ timeline: 2, pageTimeline: 1 });
    const { records, scanner } = await scanSegments(cluster, names);
    expect(scanner.end).toBeUndefined();
    // The first record of the new timeline begins where the old one was left, behind a page header at most.
    const change = records.find(
      (record) => record.kind === "end-of-recovery" || (record.kind === "checkpoint" && record.timeline === 2),
    );
    expect(change).toMatchObject({ timeline: 2, previousTimeline: 1, previousEndLsn: history.entries[0]?.switchLsn });
  });
});
