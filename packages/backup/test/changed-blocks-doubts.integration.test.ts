// @module-tag needs-postgres-clients
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { filesSource } from "../src/index.ts";
import { createBackupWorld, type BackupWorld, type WorldOptions } from "./backup-world.ts";
import { delivered, takeIncremental, type Told } from "./take-incremental.ts";

/** Found when a test asks, because the file is read where its tests are skipped, too. */
const installation = () => requireInstallation("pg_checksums");

/** A server with a table of some chunks, and a backup of it. */
async function createBackedUp(options: Partial<WorldOptions> = {}): Promise<BackupWorld> {
  const world = await createBackupWorld({
    installation: installation(),
    ...options,
    settings: { autovacuum: "off", ...options.settings },
  });
  await world.cluster.query(
    "create table t as select n, repeat(md5(n::text), 8) as text from generate_series(1, 20000) n",
  );
  await world.take({ label: "2025-01-01", source: filesSource(world.cluster.connection) });
  return world;
}

/** What was told of the changes. */
async function toldOf(world: BackupWorld, label = "2025-01-02"): Promise<readonly Told[]> {
  const { told } = await takeIncremental(world, label);
  return told.filter(({ type }) => type !== "left-unread");
}

test("WAL of wal_level = minimal says nothing of what changed, though all of it is archived", async () => {
  await using world = await createBackedUp();
  const { cluster } = world;
  const archiving = { wal_level: "replica", archive_mode: "on", max_wal_senders: 10 };
  await cluster.configure({ wal_level: "minimal", archive_mode: "off", max_wal_senders: 0 });
  await cluster.restart();
  // Made and filled in one transaction: the rows are in no WAL, and all of it fits into the segment that is archived later.
  await cluster.query("begin; create table m (n int); insert into m select generate_series(1, 300000); commit");
  await cluster.configure(archiving);
  await cluster.restart();
  await delivered(world);
  expect(await toldOf(world)).toMatchObject([
    { type: "changes-unknown", reason: expect.stringMatching(/wal_level = minimal/) as string },
  ]);
});

test("checksums that were switched on while the server was stopped have changed every page", async () => {
  await using world = await createBackedUp({ initdbArgs: ["--wal-segsize=1"] });
  await world.cluster.stop();
  await world.cluster.runProgram("pg_checksums", ["--enable", "-D", world.cluster.dataDir]);
  await world.cluster.start();
  expect(await toldOf(world)).toEqual([
    { type: "changes-unknown", base: "2025-01-01", reason: "data checksums were off when it was taken" },
  ]);
});

test("hint bits that no WAL tells of are no alarm", async () => {
  await using world = await createBackedUp({ initdbArgs: ["--wal-segsize=1"] });
  const { cluster } = world;
  // Reading sets them on every page of the table.
  await cluster.query("select count(*) from t");
  await delivered(world);
  expect(await toldOf(world)).toMatchObject([
    { type: "changes-known", compared: expect.toSatisfy((chunks: number) => chunks > 4) as number },
  ]);
});

test("what changed a moment ago is known from the server's own WAL, of which the bucket has not everything yet", async () => {
  await using world = await createBackedUp();
  // No hint bits are left to be set: only one page or two change.
  await world.cluster.query("vacuum freeze t");
  await takeIncremental(world, "2025-01-02");
  await world.cluster.query("update t set text = 'just now' where n = 10000");
  expect(await toldOf(world, "2025-01-03")).toMatchObject([{ type: "changes-known" }]);
});

test("changes are followed over a change of timelines", async () => {
  await using world = await createBackedUp();
  const { cluster, courier } = world;
  await cluster.query("update t set text = 'before' where n = 10");
  await delivered(world);
  await cluster.stop();
  writeFileSync(join(cluster.dataDir, "recovery.signal"), "");
  await cluster.configure({ restore_command: `cp ${courier.directory}/box/%f %p` });
  await cluster.start();
  await expect
    .poll(async () => (await cluster.query("select pg_is_in_recovery() as recovers"))[0], { timeout: 60_000 })
    .toEqual({ recovers: false });
  await cluster.query("update t set text = 'after' where n = 19000");
  await cluster.query("checkpoint");
  await delivered(world);
  expect(await toldOf(world)).toMatchObject([{ type: "changes-known" }]);
});

test("a branch that was left before the earlier backup ended says nothing of what changed", async () => {
  await using world = await createBackedUp();
  const { cluster } = world;
  // The history of a timeline that left before: as after a restore to an instant before that backup.
  await cluster.stop();
  writeFileSync(join(cluster.dataDir, "recovery.signal"), "");
  await cluster.configure({ restore_command: `cp ${world.courier.directory}/box/%f %p` });
  await cluster.start();
  await expect
    .poll(async () => (await cluster.query("select pg_is_in_recovery() as recovers"))[0], { timeout: 60_000 })
    .toEqual({ recovers: false });
  await delivered(world);
  const key = "wal/00000002.history";
  await world.store.remove([key]);
  await world.store.put(key, Buffer.from("1\t0/200000\tno recovery target specified\n"));
  expect(await toldOf(world)).toMatchObject([
    { type: "changes-unknown", reason: expect.stringContaining("which timeline 2 left before its end") as string },
  ]);
});
