import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { parseLsn } from "../wal-names/lsn.ts";
import { createPhysicalSlot, identifySystem, readReplicationSlot } from "./replication-commands.ts";
import { connectReplication } from "./replication-connection.ts";
import { streamWal } from "./stream-wal.ts";

test.each(postgresMajors())(
  "streams the very bytes of pg_wal from PostgreSQL $major, and a slot follows what is durable",
  async (installation) => {
    await using cluster = await createTestCluster({ installation, initdbArgs: ["--wal-segsize=1"] });
    await using connection = await connectReplication(cluster.connection);
    await createPhysicalSlot(connection, "soar", { reserveWal: true });
    const { timeline, walLsn } = await identifySystem(connection);
    const startLsn = walLsn - (walLsn % 2n ** 20n);
    await cluster.query("create table t as select n, md5(n::text) from generate_series(1, 30000) n");
    const [row] = await cluster.query<{ lsn: string; name: string }>(
      "select pg_current_wal_lsn()::text as lsn, pg_walfile_name(pg_lsn($1::text)) as name",
      [`0/${(startLsn + 1n).toString(16)}`],
    );
    const until = parseLsn(String(row?.lsn));
    const chunks: Buffer[] = [];
    let expected = startLsn;
    const stream = streamWal(connection, { startLsn, timeline, slot: "soar" });
    for await (const event of stream) {
      if (event.type !== "data") continue;
      expect(event.startLsn).toBe(expected);
      expected += BigInt(event.chunk.length);
      chunks.push(event.chunk);
      if (expected >= until) {
        stream.report(expected);
        await expect
          .poll(() => cluster.query("select restart_lsn >= $1::pg_lsn as kept from pg_replication_slots", [row?.lsn]))
          .toEqual([{ kept: true }]);
        break;
      }
    }
    const streamed = Buffer.concat(chunks);
    expect(streamed.length).toBeGreaterThan(2 * 2 ** 20);
    const onDisk = await readFile(join(cluster.dataDir, "pg_wal", String(row?.name)));
    expect(streamed.subarray(0, 2 ** 20).equals(onDisk)).toBe(true);
    await using other = await connectReplication(cluster.connection);
    expect((await readReplicationSlot(other, "soar"))?.restartLsn).toBeGreaterThanOrEqual(until);
  },
);

test("a commit in synchronous mode returns as soon as its position is reported durable", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  await cluster.query("create table t (n int)");
  await using connection = await connectReplication({ ...cluster.connection, applicationName: "soar" });
  const { timeline, walLsn } = await identifySystem(connection);
  const stream = streamWal(connection, { startLsn: walLsn, timeline, durableLsn: walLsn });
  const stop = new AbortController();
  const following = (async (): Promise<void> => {
    for await (const event of stream) {
      if (event.type === "data") stream.report(event.startLsn + BigInt(event.chunk.length));
      if (stop.signal.aborted) return;
    }
  })();
  for (const level of ["on", "remote_write", "remote_apply"]) {
    await cluster.configure({ synchronous_standby_names: "soar", synchronous_commit: level });
    await expect
      .poll(() =>
        cluster.query("select current_setting('synchronous_commit') as level, sync_state from pg_stat_replication"),
      )
      .toEqual([{ level, sync_state: "sync" }]);
    await cluster.query("insert into t values (1)");
  }
  stop.abort();
  await cluster.query("set synchronous_commit = local; insert into t values (2)");
  await following;
});

test("a consumer that stops reading for longer than wal_sender_timeout is not taken for dead", async () => {
  await using cluster = await createTestCluster({
    installation: requireInstallation(),
    settings: { wal_sender_timeout: "1s" },
  });
  await using connection = await connectReplication(cluster.connection);
  const { timeline, walLsn } = await identifySystem(connection);
  await cluster.query("create table t as select n, repeat('x', 500) from generate_series(1, 60000) n");
  const [row] = await cluster.query<{ lsn: string }>("select pg_current_wal_lsn()::text as lsn");
  let end = walLsn;
  let waited = false;
  for await (const event of streamWal(connection, { startLsn: walLsn, timeline, statusIntervalMs: 200 })) {
    if (event.type !== "data") continue;
    end = event.startLsn + BigInt(event.chunk.length);
    if (!waited) await cluster.query("select pg_sleep(3)");
    waited = true;
    if (end >= parseLsn(String(row?.lsn))) break;
  }
  expect(end).toBeGreaterThanOrEqual(parseLsn(String(row?.lsn)));
  expect(await cluster.log()).not.toContain("replication timeout");
});

test("WAL that the server no longer has is a named failure, an abort is one, and a killed server too", async () => {
  await using cluster = await createTestCluster({
    installation: requireInstallation(),
    initdbArgs: ["--wal-segsize=1"],
    settings: { max_wal_size: "4MB", min_wal_size: "2MB" },
  });
  await cluster.query("create table t (n int)");
  await cluster.query("insert into t select generate_series(1, 100000)");
  await cluster.query("checkpoint");
  await cluster.query("insert into t select generate_series(1, 100000)");
  await cluster.query("checkpoint");
  const firstEvent = async (startLsn: bigint, signal?: AbortSignal): Promise<unknown> => {
    await using connection = await connectReplication(cluster.connection);
    for await (const event of streamWal(connection, { startLsn, timeline: 1, signal }))
      if (event.type === "timeline-end") return event;
    return undefined;
  };
  await expect(firstEvent(2n ** 20n)).rejects.toMatchObject({
    code: "SERVER_FAILED",
    message: expect.stringContaining("has already been removed") as string,
  });
  await using connection = await connectReplication(cluster.connection);
  const { walLsn } = await identifySystem(connection);
  await expect(firstEvent(walLsn, AbortSignal.timeout(200))).rejects.toMatchObject({ code: "ABORTED" });
  const streaming = firstEvent(walLsn);
  await expect
    .poll(() => cluster.query("select state from pg_stat_replication where state = 'streaming'"))
    .toEqual([{ state: "streaming" }]);
  await Promise.all([
    expect(streaming).rejects.toMatchObject({ code: "SERVER_FAILED", retryable: true }),
    cluster.kill(),
  ]);
});
