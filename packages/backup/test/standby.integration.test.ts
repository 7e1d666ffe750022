// @module-tag needs-postgres-clients
import { adoptTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { claimLabel } from "@soar/repository/markers";
import { createMemoryStore } from "@soar/storage";
import { expect, test } from "vitest";
import { programSource, type BackupEvent } from "../src/index.ts";
import { createBackupWorld, keysOf, type BackupWorld } from "./backup-world.ts";

/** Found when a test asks, because the file is read where its tests are skipped, too. */
const installation = () => requireInstallation("pg_basebackup");

async function startStandby({ cluster }: BackupWorld, name = "standby"): Promise<TestCluster> {
  const dataDir = cluster.tablespaceDir(name);
  await cluster.runProgram("pg_basebackup", ["-D", dataDir, "-R", "-X", "stream", "-c", "fast"]);
  return adoptTestCluster({ installation: installation(), dataDir });
}

test("a standby is backed up; its last segment is awaited until the primary has finished it", async () => {
  await using world = await createBackupWorld({ installation: installation() });
  await world.cluster.query("create table t as select n, md5(n::text) from generate_series(1, 20000) n");
  await using standby = await startStandby(world);
  // No standby can run such transactions.
  await world.cluster.query(
    "create role careful login superuser; alter role careful set default_transaction_isolation = 'serializable'",
  );
  const server = { ...standby.connection, user: "careful", applicationName: "test" };

  // Ends in the middle of a segment.
  await world.cluster.query("create table u as select 1");
  await world.cluster.query("checkpoint");
  await world.cluster.query("insert into u select 2");
  await expect.poll(async () => (await standby.query("select count(*)::int as n from u"))[0]).toEqual({ n: 2 });
  const quiet = world.take({ server, walTimeoutMs: 1000 });
  await expect(quiet).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringContaining("SELECT pg_switch_wal() there") as string,
  });

  const switched: Promise<unknown>[] = [];
  const onEvent = ({ type }: BackupEvent): void => {
    if (type === "waiting-for-wal" && switched.length === 0)
      switched.push(world.cluster.query("select pg_switch_wal()"));
  };
  // The first run leaves nothing that could keep another host waiting.
  expect(keysOf(world, "base/")).toEqual([]);
  const record = await world.take({ server, onEvent, host: "second-host" });
  await Promise.all(switched.splice(0));
  expect(record.source).toMatchObject({ fromStandby: true, method: "replication" });

  const source = programSource(server, { binDir: installation().binDir, walTimeoutMs: 20_000 });
  const spawned = await world.take({ server, source, onEvent, label: "2025-01-02" });
  await Promise.all(switched);
  expect(spawned.source).toMatchObject({ fromStandby: true, method: "pg_basebackup" });
});

test("a standby that follows the server that took over is backed up, although the segment before belongs to the old timeline", async () => {
  await using world = await createBackupWorld({ installation: installation() });
  const { cluster } = world;
  await using successor = await startStandby(world, "successor");
  await using standby = await startStandby(world, "standby");
  await cluster.query("create table t as select 1 as n; select pg_switch_wal()");
  for (const one of [successor, standby])
    await expect
      .poll(async () => (await one.query("select count(*)::int as n from pg_class where relname = 't'"))[0])
      .toEqual({ n: 1 });
  await cluster.stop();
  await successor.query("select pg_promote()");
  const { host, port, user } = successor.connection;
  await standby.query(`alter system set primary_conninfo = 'host=${host} port=${port} user=${user}'`);
  await standby.query("select pg_reload_conf()");
  // Its restart point, with which a backup begins, has to lie on the new timeline.
  await successor.query("checkpoint");
  await successor.query("insert into t values (2)");
  await expect
    .poll(async () => (await standby.query("select count(*)::int as n from t"))[0], { timeout: 30_000 })
    .toEqual({ n: 2 });
  await standby.query("checkpoint");
  const onEvent = ({ type }: BackupEvent): void => {
    if (type === "waiting-for-wal")
      void successor.query("select pg_logical_emit_message(true, 'a', 'b'), pg_switch_wal()");
  };
  const record = await world.take({
    server: { ...standby.connection, applicationName: "test" },
    onEvent,
    archiverPatienceMs: 3000,
  });
  expect(record).toMatchObject({ timeline: 2, source: { fromStandby: true } });
});

test("a standby whose primary does not archive here is refused before anything is copied", async () => {
  await using world = await createBackupWorld({ installation: installation() });
  await using standby = await startStandby(world);
  world.courier.deliverTo(createMemoryStore());
  await world.cluster.query("select pg_switch_wal()");
  await world.cluster.query("create table t as select n, md5(n::text) from generate_series(1, 50000) n");
  await expect
    .poll(async () => (await standby.query("select count(*)::int as n from pg_class where relname = 't'"))[0])
    .toEqual({ n: 1 });
  await expect(world.take({ server: { ...standby.connection, applicationName: "test" } })).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringContaining("does not archive into this bucket") as string,
  });
});

test("a run on a standby that may be alive is not cleaned up behind, and no other begins", async () => {
  await using world = await createBackupWorld({ installation: installation() });
  const claim = {
    format: 1 as const,
    label: "2025-01-01",
    host: "other",
    processId: 1,
    startedAt: new Date().toISOString(),
    references: [],
    fromStandby: true,
  };
  await claimLabel(world.store, { ...claim, deadline: new Date(Date.now() + 60_000).toISOString() });
  await expect(world.take()).rejects.toMatchObject({
    code: "BACKUP_RUNNING",
    message: expect.stringContaining("on other") as string,
  });
  await expect(world.take({ now: () => new Date(Date.now() + 120_000) })).resolves.toMatchObject({ kind: "full" });
});
