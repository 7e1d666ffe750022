// @module-tag needs-postgres-clients
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { BACKUP_OBJECTS, backupKey, listBackupDirectories, type BackupRecord } from "@soar/repository";
import { planExpiry, readExpiryState } from "@soar/repository/expiry";
import type { ObjectStore } from "@soar/storage";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import type { BackupEvent, TakeBackupOptions } from "../src/index.ts";
import { backdate, createBackupWorld, type BackupWorld } from "./backup-world.ts";
import { extractBackup } from "./extract-backup.ts";

/** Found when a test asks, because the file is read where its tests are skipped, too. */
const installation = () => requireInstallation("pg_verifybackup");
const DAY_MS = 86_400_000;
const incremental = { fullEveryMs: 28 * DAY_MS };

async function createFilledWorld(): Promise<BackupWorld> {
  const world = await createBackupWorld({ installation: installation() });
  await world.cluster.query(`create tablespace extra location '${world.cluster.tablespaceDir("extra")}'`);
  await world.cluster.query(
    "create table old tablespace extra as select n, md5(n::text) from generate_series(1, 150000) n",
  );
  await world.cluster.query("create table newest as select n, md5(n::text) from generate_series(1, 1000) n");
  await world.cluster.query("vacuum freeze old");
  return world;
}

async function expectVerified(store: ObjectStore, record: BackupRecord): Promise<void> {
  const verified = spawnSync(
    join(installation().binDir, "pg_verifybackup"),
    ["--no-parse-wal", await extractBackup(store, record)],
    { encoding: "utf8" },
  );
  expect(verified).toMatchObject({ status: 0, stderr: "" });
}

test("an incremental stores what changed, refers to the rest, and reads back byte for byte; so does one upon it", async () => {
  await using world = await createFilledWorld();
  const full = await world.take({ label: "2025-01-05" });
  await world.cluster.query("insert into newest select n, md5(n::text) from generate_series(1001, 3000) n");
  const first = await world.take({ label: "2025-01-06", codec: "gzip", incremental });
  expect(first).toMatchObject({ kind: "incremental", references: [full.label] });
  expect(first.archives.map(({ object }) => object.replace(/^\d+/, "OID"))).toEqual([
    "OID.members.gz",
    "backup.members.gz",
  ]);
  expect(first.sizes.new).toBeLessThan(full.sizes.new / 3);
  expect(Math.abs(first.sizes.stored - full.sizes.stored) / full.sizes.stored).toBeLessThan(0.2);
  await expectVerified(world.store, first);

  await world.cluster.query("delete from newest where n % 3 = 0");
  const second = await world.take({ label: "2025-01-07", codec: "none", incremental });
  expect(second).toMatchObject({ kind: "incremental", references: [full.label, first.label] });
  await expectVerified(world.store, second);
  await expectVerified(world.store, full);
});

test("expiry respects what an incremental refers to", async () => {
  await using world = await createFilledWorld();
  const takeAgo = async (days: number, overrides: Partial<TakeBackupOptions> = {}): Promise<BackupRecord> => {
    const label = new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
    return await backdate(world.store, await world.take({ label, ...overrides }), days * DAY_MS);
  };
  const full = await takeAgo(90);
  const increment = await takeAgo(80, { incremental: { fullEveryMs: 100 * DAY_MS } });
  await takeAgo(70);
  const newest = await takeAgo(40, { incremental: { fullEveryMs: 100 * DAY_MS } });
  const plan = planExpiry(await readExpiryState(world.store, { now: new Date() }), {
    windowDays: 30,
    minimumBackups: 1,
  });
  const needed = new Set([newest.label, ...newest.references]);
  expect(new Set(plan.keep.map(({ label }) => label))).toEqual(needed);
  expect(increment.references).toEqual([full.label]);
  expect(plan.removeBackups.map(({ label }) => label)).toEqual(
    [increment.label, full.label].filter((label) => !needed.has(label)),
  );
});

test("a full backup is taken instead when none can be referred to, when it is due, or when little of the old is needed", async () => {
  await using world = await createFilledWorld();
  const events: BackupEvent[] = [];
  const onEvent = (event: BackupEvent) => void (event.type === "incremental" && events.push(event));
  const first = await world.take({ label: "2025-01-01", incremental, onEvent });
  const due = await world.take({ label: "2025-01-02", incremental: { fullEveryMs: 0 }, onEvent });
  await world.cluster.query("drop table old");
  const third = await world.take({ label: "2025-01-03", incremental, onEvent });
  const fourth = await world.take({ label: "2025-01-04", incremental, onEvent });
  // The timer was a minute early.
  for (const record of [first, due, third, fourth]) await backdate(world.store, record, 7 * DAY_MS - 60_000);
  const weekly = await world.take({ label: "2025-01-05", incremental: { fullEveryMs: 7 * DAY_MS }, onEvent });
  expect([first, due, third, fourth, weekly].map(({ kind }) => kind)).toEqual([
    "full",
    "full",
    "incremental",
    "full",
    "full",
  ]);
  expect(events).toEqual([
    { type: "incremental", base: undefined, reason: "there is no backup to refer to yet" },
    { type: "incremental", base: undefined, reason: "the last full backup is old enough for a new one" },
    { type: "incremental", base: "2025-01-02", reason: undefined },
    { type: "incremental", base: undefined, reason: "too little of the earlier backups is still needed" },
    { type: "incremental", base: undefined, reason: "the last full backup is old enough for a new one" },
  ]);
});

test("a reference that disappears while the incremental runs fails the run", async () => {
  await using world = await createFilledWorld();
  const { label } = await world.take({ label: "2025-01-01" });
  let removed: Promise<void> | undefined;
  const onEvent = ({ type }: BackupEvent): void => {
    if (type === "reading-back") removed ??= world.store.remove([backupKey(label, BACKUP_OBJECTS.record)]);
  };
  await expect(world.take({ label: "2025-01-02", incremental, onEvent })).rejects.toMatchObject({
    code: "BACKUP_MISSING",
  });
  await removed;
  expect((await listBackupDirectories(world.store)).every(({ record }) => record === undefined)).toBe(true);
});
