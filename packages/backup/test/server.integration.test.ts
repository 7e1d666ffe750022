import { spawnSync } from "node:child_process";
import { copyFileSync, chownSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { listBackupDirectories, readBackupObject } from "@soar/repository";
import { createMemoryStore } from "@soar/storage";
import { PROFILES, requireInstallation, serverUser, startS3Server, type S3Profile } from "@soar-tooling/test-servers";
import { expect, test } from "vitest";
import { createBackupWorld, keysOf, openTestStore } from "./backup-world.ts";
import { expectNoBackup } from "./expect-no-backup.ts";
import { startWalCourier } from "./wal-courier.ts";

const installation = requireInstallation();

test("with archiving off nothing is begun, and the reason says what to set", async () => {
  await using world = await createBackupWorld({ installation, settings: { archive_mode: "off" } });
  await expect(world.take()).rejects.toMatchObject({ code: "SERVER_UNSUITABLE", message: expect.stringContaining("archive_mode is off") as string });
  expect(keysOf(world, "")).toEqual([]);
});

test("an archive command that fails is told before anything is copied", async () => {
  await using world = await createBackupWorld({ installation, archiveCommand: "false" });
  await world.cluster.query("create table t (); select pg_switch_wal()");
  await expect.poll(async () => (await world.cluster.query("select failed_count > 0 as failing from pg_stat_archiver"))[0]).toEqual({ failing: true });
  await expect(world.take({ archiverPatienceMs: 500 })).rejects.toMatchObject({ code: "WAL_TIMEOUT", message: expect.stringMatching(/archive command keeps failing for '[0-9A-F]{24}'/) as string });
  expect(keysOf(world, "base/")).toEqual([]);
});

/** Slow enough that the copying would last for seconds. */
const slowly = { rateLimitBytes: 2 ** 21 };

test.each([
  { what: "that hangs", archiveCommand: "while test -e %p; do sleep 0.1; done; false", patience: 100, message: /is not in the bucket: the server's archive command has neither succeeded nor failed/, hint: /It hangs/ },
  { what: "that stores elsewhere", archiveCommand: "true", patience: 500, message: /is not in the bucket: the server has counted it as archived/, hint: /stores elsewhere/ },
])("an archive command $what ends the run while it copies", async ({ archiveCommand, patience, message, hint }) => {
  await using world = await createBackupWorld({ installation, archiveCommand });
  const stages = new Set<string>();
  const taken = world.take({ ...slowly, archiverPatienceMs: patience, onEvent: ({ type }) => stages.add(type) });
  await expect(taken).rejects.toMatchObject({ code: "WAL_TIMEOUT", message: expect.stringMatching(message) as string, hint: expect.stringMatching(hint) as string });
  expect(stages.has("reading-back")).toBe(false);
  await expectNoBackup(world.store);
});

test("a backlog that moves is waited for, however long it is", async () => {
  const courier = await startWalCourier();
  await using world = await createBackupWorld({ installation, archiveCommand: `sleep 0.3 && ${courier.archiveCommand}` });
  courier.deliverTo(world.store);
  for (let count = 0; count < 6; count += 1) await world.cluster.query(`create table t${count} (); select pg_switch_wal()`);
  await expect(world.take({ rateLimitBytes: 6 * 2 ** 20, archiverPatienceMs: 150 })).resolves.toMatchObject({ kind: "full" });
  await courier.close();
});

test("WAL that does not arrive ends the run at its deadline; when it flows again, so do backups", async () => {
  await using world = await createBackupWorld({ installation });
  world.courier.deliverTo(createMemoryStore());
  await expect(world.take({ walTimeoutMs: 1500 })).rejects.toMatchObject({ code: "WAL_TIMEOUT", message: expect.stringMatching(/WAL segment '[0-9A-F]{24}' did not reach the bucket within 2 s; the last segment that the server archived is/) as string });
  await expectNoBackup(world.store);
  world.courier.deliverTo(world.store);
  const { label } = await world.take();
  expect((await listBackupDirectories(world.store)).map((directory) => directory.label)).toEqual([label]);
});

test("a rate limit holds the server back", async () => {
  await using world = await createBackupWorld({ installation });
  const { durationMs, sizes } = await world.take({ rateLimitBytes: 8 * 1024 * 1024 });
  expect(sizes.tar / (durationMs / 1000)).toBeLessThan(9 * 1024 * 1024);
});

test("a damaged page at the source does not cost the backup, and is recorded", async () => {
  await using world = await createBackupWorld({ installation });
  const { cluster } = world;
  await cluster.query("create table t as select n, md5(n::text) from generate_series(1, 20000) n; checkpoint");
  const [file] = await cluster.query<{ path: string }>("select pg_relation_filepath('t') as path");
  const path = String(file?.path);
  await cluster.stop();
  const handle = await open(join(cluster.dataDir, path), "r+");
  await handle.write(Buffer.from("damaged"), 0, 7, 3 * 8192 + 4000);
  await handle.close();
  await cluster.start();
  const record = await world.take();
  expect(record.damagedPages).toEqual([{ path, detail: "blocks 3" }]);
  expect((await listBackupDirectories(world.store))[0]?.record?.label).toBe(record.label);
});

test("configuration files from outside of the data directory are part of the backup", async () => {
  await using world = await createBackupWorld({ installation });
  const { cluster } = world;
  const elsewhere = join(cluster.tablespaceDir("etc"), "pg_hba.conf");
  copyFileSync(join(cluster.dataDir, "pg_hba.conf"), elsewhere);
  chownSync(elsewhere, serverUser().uid, serverUser().gid);
  await cluster.configure({ hba_file: elsewhere });
  await cluster.restart();
  const record = await world.take();
  const listed = spawnSync("tar", ["tzf", "-"], { input: await readBackupObject(world.store, record, "server-config.tar.gz"), encoding: "utf8" });
  expect(listed.stdout.trim().split("\n")).toEqual(expect.arrayContaining([elsewhere.slice(1), join(cluster.dataDir, "postgresql.conf").slice(1)]));
});

test("every provider takes a backup, and nothing is left of one that it refused in the middle", { timeout: 120_000 }, async () => {
  await using world = await createBackupWorld({ installation });
  for (const profile of Object.keys(PROFILES) as S3Profile[]) {
    const s3 = await startS3Server({ profile, bucket: "soar-backup" });
    const store = openTestStore(s3);
    try {
      world.courier.deliverTo(store);
      const refusal = s3.inject({ operation: "UploadPart", skip: 1, times: "always", fault: { type: "error", status: 403, code: "AccessDenied" } });
      await expect(world.take({ codec: "none" }, store), profile).rejects.toMatchObject({ code: "STORE_DENIED" });
      refusal.remove();
      await expectNoBackup(store, profile);
      const record = await world.take({ codec: "none" }, store);
      expect(await listBackupDirectories(store), profile).toMatchObject([{ label: record.label, record }]);
      expect((await readBackupObject(store, record, "backup_manifest")).length).toBeGreaterThan(1000);
    } finally {
      world.courier.deliverTo(createMemoryStore());
      await store.close();
      await s3.close();
    }
  }
});
