import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { SoarError } from "@soar/errors";
import { listBackupDirectories, readBackupObject } from "@soar/repository";
import { createMemoryStore } from "@soar/storage";
import { postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { PROFILES, startS3Server, type S3Profile } from "@soar-tooling/s3-server";
import { expect, test } from "vitest";
import { createBackupWorld, keysOf, openTestStore } from "./backup-world.ts";
import { expectNoBackup } from "./expect-no-backup.ts";
import { startWalCourier } from "./wal-courier.ts";

const installation = requireInstallation();

test("with archiving off nothing is begun, and the reason says what to set", async () => {
  await using world = await createBackupWorld({ installation, settings: { archive_mode: "off" } });
  await expect(world.take()).rejects.toMatchObject({
    code: "SERVER_UNSUITABLE",
    message: expect.stringContaining("archive_mode is off") as string,
  });
  expect(keysOf(world, "")).toEqual([]);
});

test("an archive command that fails is told before anything is copied", async () => {
  await using world = await createBackupWorld({ installation, archiveCommand: "false" });
  await world.cluster.query("create table t (); select pg_switch_wal()");
  await expect
    .poll(async () => (await world.cluster.query("select failed_count > 0 as failing from pg_stat_archiver"))[0])
    .toEqual({ failing: true });
  await expect(world.take({ archiverPatienceMs: 500 })).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringMatching(/archive command keeps failing for '[0-9A-F]{24}'/) as string,
  });
  expect(keysOf(world, "base/")).toEqual([]);
});

/** Slow enough that the copying would last for seconds. */
const slowly = { rateLimitBytes: 2 ** 21 };

test.each([
  {
    what: "that hangs",
    archiveCommand: "while test -e %p; do sleep 0.1; done; false",
    patience: 100,
    message: /is not in the bucket: the server's archive command has neither succeeded nor failed/,
    hint: /It hangs/,
  },
  {
    what: "that stores elsewhere",
    archiveCommand: "true",
    patience: 500,
    message: /is not in the bucket: the server has counted it as archived/,
    hint: /stores elsewhere/,
  },
])("an archive command $what ends the run while it copies", async ({ archiveCommand, patience, message, hint }) => {
  await using world = await createBackupWorld({ installation, archiveCommand });
  const stages = new Set<string>();
  const taken = world.take({ ...slowly, archiverPatienceMs: patience, onEvent: ({ type }) => stages.add(type) });
  await expect(taken).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringMatching(message) as string,
    hint: expect.stringMatching(hint) as string,
  });
  expect(stages.has("reading-back")).toBe(false);
  await expectNoBackup(world.store);
});

test("a backlog that moves is waited for, however long it is", async () => {
  const courier = await startWalCourier();
  await using world = await createBackupWorld({
    installation,
    archiveCommand: `sleep 0.3 && ${courier.archiveCommand}`,
  });
  courier.deliverTo(world.store);
  for (let count = 0; count < 14; count += 1)
    await world.cluster.query(`create table t${count} (); select pg_switch_wal()`);
  await expect(world.take({ rateLimitBytes: 4 * 2 ** 20, archiverPatienceMs: 2500 })).resolves.toMatchObject({
    kind: "full",
  });
  await courier.close();
});

test("a bucket need not have what was archived before there was a backup in it", async () => {
  const courier = await startWalCourier();
  const { directory } = courier;
  await using world = await createBackupWorld({
    installation,
    archiveCommand: `test ! -e ${directory}/on || { ${courier.archiveCommand}; }`,
  });
  courier.deliverTo(world.store);
  const [row] = await world.cluster.query<{ name: string }>("select pg_walfile_name(pg_switch_wal() - 1) as name");
  await expect
    .poll(async () => (await world.cluster.query("select last_archived_wal from pg_stat_archiver"))[0], {
      timeout: 20_000,
    })
    .toEqual({ last_archived_wal: row?.name });
  writeFileSync(join(directory, "on"), "");
  await expect(world.take({ ...slowly, rateLimitBytes: 2 ** 23, archiverPatienceMs: 500 })).resolves.toMatchObject({
    kind: "full",
  });
  await courier.close();
});

test("WAL that does not arrive ends the run at its deadline; when it flows again, so do backups", async () => {
  await using world = await createBackupWorld({ installation });
  world.courier.deliverTo(createMemoryStore());
  await expect(world.take({ walTimeoutMs: 1500 })).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringMatching(
      /WAL segment '[0-9A-F]{24}' did not reach the bucket within 2 s; the last segment that the server archived is/,
    ) as string,
  });
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

test.each(postgresMajors())(
  "damaged pages at the source, also of a tablespace, do not cost a backup of PostgreSQL $major, and are recorded",
  async (major) => {
    await using world = await createBackupWorld({ installation: major });
    const { cluster } = world;
    await cluster.query(`create tablespace extra location '${cluster.tablespaceDir("extra")}'`);
    const paths: string[] = [];
    for (const table of ["t tablespace extra", "u"]) {
      await cluster.query(`create table ${table} as select n, md5(n::text) from generate_series(1, 20000) n`);
      const [file] = await cluster.query<{ path: string }>("select pg_relation_filepath($1) as path", [
        table.slice(0, 1),
      ]);
      paths.push(String(file?.path));
    }
    await cluster.stop();
    for (const path of paths) {
      const handle = await open(join(cluster.dataDir, path), "r+");
      await handle.write(Buffer.from("damaged"), 0, 7, 3 * 8192 + 4000);
      await handle.close();
    }
    await cluster.start();
    const record = await world.take();
    expect(record.damagedPages).toEqual(paths.map((path) => ({ path, detail: "blocks 3" })));
    expect((await listBackupDirectories(world.store))[0]?.record?.label).toBe(record.label);
  },
);

test("configuration files from outside of the data directory, as on Debian, are part of the backup, with all that they include, however long and in whatever language their paths are", async () => {
  const newest = postgresMajors().at(-1) ?? installation;
  const hba = ["all", "replication"].map((database) => `host ${database} soar_backup 127.0.0.1/32 trust`);
  await using world = await createBackupWorld({ installation: newest, hba });
  const { cluster } = world;
  await cluster.query("create role soar_backup login replication");
  await cluster.stop();
  const etc = join(cluster.tablespaceDir("etc"), "größe", "deep".repeat(60));
  mkdirSync(etc, { recursive: true });
  const files = {
    "postgresql.conf": `${readFileSync(join(cluster.dataDir, "postgresql.conf"), "utf8")}\ninclude_dir = 'conf.d'\ninclude 'more.conf'\nhba_file = '${etc}/pg_hba.conf'\nident_file = '${etc}/pg_ident.conf'\n`,
    "more.conf": "work_mem = 5MB\n",
    "conf.d/10-soar.conf": "maintenance_work_mem = 20MB\n",
    "pg_hba.conf": `${readFileSync(join(cluster.dataDir, "pg_hba.conf"), "utf8")}\ninclude more_hba.conf\n`,
    "more_hba.conf": "local all nobody reject\n",
    "pg_ident.conf": "include more_ident.conf\n",
    "more_ident.conf": "map one two\n",
  };
  mkdirSync(join(etc, "conf.d"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text, { mode: 0o644 });
  for (const name of ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"]) rmSync(join(cluster.dataDir, name));
  await cluster.start({ args: ["-c", `config_file=${etc}/postgresql.conf`] });
  // No superuser: what it needs stands in the refusal and in the documentation.
  const server = { ...cluster.connection, user: "soar_backup" };
  const refusal = (await world.take({ server }).catch((error: unknown) => error)) as SoarError;
  expect(refusal).toMatchObject({
    code: "SERVER_DENIED",
    message: expect.stringContaining("configuration files") as string,
  });
  const grants = refusal.hint?.match(/GRANT [^;]+;/g) ?? [];
  const readme = readFileSync(new URL("../../../apps/base-backup/README.md", import.meta.url), "utf8");
  for (const grant of grants) {
    expect(readme).toContain(grant);
    await cluster.query(grant);
  }
  const record = await world.take({ server });
  const directory = cluster.tablespaceDir("unpacked");
  const unpacked = spawnSync("tar", ["xzf", "-", "-C", directory], {
    input: await readBackupObject(world.store, record, "server-config.tar.gz"),
    encoding: "utf8",
  });
  expect(unpacked).toMatchObject({ status: 0, stderr: "" });
  for (const [name, text] of Object.entries(files))
    expect([name, readFileSync(join(directory, etc, name), "utf8")]).toEqual([name, text]);
});

test(
  "every provider takes a backup, and nothing is left of one that it refused in the middle",
  { timeout: 300_000 },
  async () => {
    await using world = await createBackupWorld({ installation });
    for (const profile of Object.keys(PROFILES) as S3Profile[]) {
      const s3 = await startS3Server({ profile, bucket: "soar-backup" });
      // Until it is known that a server ignores Expect, its silence is waited for.
      const store = openTestStore(s3, "cluster1", s3.endpoint, 20_000);
      try {
        world.courier.deliverTo(store);
        const refusal = s3.inject({
          operation: "UploadPart",
          key: /\/base\//,
          skip: 1,
          times: "always",
          fault: { type: "error", status: 403, code: "AccessDenied" },
        });
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
  },
);
