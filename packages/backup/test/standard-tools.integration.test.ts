// @module-tag needs-postgres-clients
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileChecksum, parseBackupManifest } from "@soar/pg-tools/manifest";
import { backupKey, readBackupObject, sha256Hex, type BackupRecord } from "@soar/repository";
import { putWalFile } from "@soar/repository/wal";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { type PostgresInstallation, postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { requires } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";
import { createBackupWorld, type BackupWorld } from "./backup-world.ts";

/** Only `tar`, `gunzip` or `zstd`, and what lies in the bucket. */
async function untar(store: ObjectStore, record: BackupRecord): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "soar-untar-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const data = join(directory, "data");
  for (const { oid, object } of record.archives) {
    const target = oid === undefined ? data : join(directory, String(oid));
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const file = join(directory, object);
    writeFileSync(file, await readObject(store, backupKey(record.label, object)));
    const unpacked = spawnSync(
      "tar",
      [object.endsWith(".gz") ? "xzf" : "xf", file, ...(object.endsWith(".zst") ? ["--zstd"] : []), "-C", target],
      { encoding: "utf8" },
    );
    expect(unpacked).toMatchObject({ status: 0, stderr: "" });
  }
  for (const { oid } of record.tablespaces)
    symlinkSync(join(directory, String(oid)), join(data, "pg_tblspc", String(oid)));
  writeFileSync(join(data, "backup_manifest"), await readBackupObject(store, record, "backup_manifest"));
  return data;
}

/** By PostgreSQL's own program where there is one that reads this manifest; another server's is compared file by file. */
async function expectVerified(data: string, { major, binDir: own, programs }: PostgresInstallation): Promise<void> {
  const isOwn = programs.has("pg_verifybackup");
  if (major > 16 && !isOwn) return expectFilesOfManifest(data);
  const { binDir } = isOwn ? { binDir: own } : requireInstallation("pg_verifybackup");
  const verified = spawnSync(join(binDir, "pg_verifybackup"), ["--no-parse-wal", data], { encoding: "utf8" });
  expect(verified).toMatchObject({ status: 0, stderr: "" });
}

async function expectFilesOfManifest(data: string): Promise<void> {
  const { files } = parseBackupManifest(readFileSync(join(data, "backup_manifest")));
  expect(files.length).toBeGreaterThan(900);
  for (const { path, size, checksum } of files) {
    const content = await readFile(join(data, path));
    const actual = createFileChecksum("CRC32C");
    actual.update(content);
    expect([path, content.length, actual.digest()]).toEqual([path, size, checksum?.value]);
  }
}

async function fill({ cluster }: BackupWorld): Promise<number> {
  await cluster.query("create table t as select n, md5(n::text) from generate_series(1, 20000) n");
  await cluster.query(`create tablespace extra location '${cluster.tablespaceDir("extra")}'`);
  await cluster.query(
    "create table in_extra tablespace extra as select n, md5(n::text) from generate_series(1, 20000) n",
  );
  const [space] = await cluster.query<{ oid: number }>("select oid::int from pg_tablespace where spcname = 'extra'");
  return space?.oid ?? 0;
}

test.each(postgresMajors())(
  "tar and pg_verifybackup accept a backup of PostgreSQL $major without and with a tablespace",
  async (installation) => {
    await using world = await createBackupWorld({ installation });
    const without = await world.take({ codec: "gzip", label: "2025-01-01" });
    expect(without.archives.map(({ object }) => object)).toEqual(["backup.tar.gz"]);
    await expectVerified(await untar(world.store, without), installation);
    const oid = await fill(world);
    const record = await world.take({ codec: "gzip", label: "2025-01-02" });
    expect(record.archives.map(({ object }) => object)).toEqual([`${oid}.tar.gz`, "backup.tar.gz"]);
    expect(record.tablespaces).toEqual([{ oid, location: join(world.cluster.socketDir, "extra") }]);
    const data = await untar(world.store, record);
    await expectVerified(data, installation);
    expect(readdirSync(data)).toEqual(
      expect.arrayContaining(["PG_VERSION", "backup_label", "tablespace_map", "base", "global"]),
    );
  },
);

test(
  "pg_verifybackup of PostgreSQL 19 accepts the archive itself, and the WAL beside it",
  requires("major-19"),
  async () => {
    const installation = postgresMajors().find(({ major }) => major === 19) ?? requireInstallation();
    await using world = await createBackupWorld({ installation });
    const record = await world.take({ codec: "gzip" });
    const directory = mkdtempSync(join(tmpdir(), "soar-tar-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    // The names that pg_basebackup gives them.
    const archive = await readObject(world.store, backupKey(record.label, "backup.tar.gz"));
    writeFileSync(join(directory, "base.tar.gz"), archive);
    writeFileSync(join(directory, "backup_manifest"), await readBackupObject(world.store, record, "backup_manifest"));
    const verify = () => spawnSync(join(installation.binDir, "pg_verifybackup"), [directory], { encoding: "utf8" });
    expect(verify().status).toBe(1);
    const walDir = join(directory, "pg_wal");
    mkdirSync(walDir);
    for (const name of new Set([record.firstSegment, record.lastSegment])) {
      const input = await readObject(world.store, `wal/${name}.zst`);
      writeFileSync(join(walDir, name), spawnSync("zstd", ["-dc"], { input, maxBuffer: 2 ** 25 }).stdout);
    }
    expect(spawnSync("tar", ["cf", `${walDir}.tar`, "-C", walDir, "."])).toMatchObject({ status: 0 });
    await rm(walDir, { recursive: true });
    expect(verify()).toMatchObject({ status: 0, stderr: "", stdout: "backup successfully verified\n" });
  },
);

test("without tablespaces, with zstd; and every WAL segment reads with plain tools", async () => {
  const installation = requireInstallation("pg_verifybackup", "pg_waldump");
  await using world = await createBackupWorld({ installation });
  await world.cluster.query("create table t as select n, md5(n::text) from generate_series(1, 20000) n");
  const record = await world.take();
  expect(new Set(record.objects.map(({ name }) => name))).toEqual(
    new Set(["backup.tar.zst", "backup_label", "backup_manifest", "index.zst", "server-config.tar.gz"]),
  );
  expect(record.archives.map(({ object }) => object)).toEqual(["backup.tar.zst"]);
  const data = await untar(world.store, record);
  await expectVerified(data, installation);
  const name = record.firstSegment;
  const zstd = spawnSync("zstd", ["-dc"], {
    input: await readObject(world.store, `wal/${name}.zst`),
    maxBuffer: 2 ** 25,
  });
  const memory = createMemoryStore();
  const plain = zstd.stdout;
  await putWalFile(
    memory,
    {
      name,
      size: plain.length,
      sha256: sha256Hex(plain),
      async *open() {
        yield plain;
      },
    },
    { codec: "gzip" },
  );
  const gzip = spawnSync("gunzip", ["-c"], { input: await readObject(memory, `wal/${name}.gz`), maxBuffer: 2 ** 25 });
  for (const { status, stdout } of [zstd, gzip]) {
    expect(status).toBe(0);
    writeFileSync(join(data, "pg_wal", name), stdout);
    const dumped = spawnSync(join(installation.binDir, "pg_waldump"), [join(data, "pg_wal", name)], {
      encoding: "utf8",
    });
    expect(dumped.stdout).toContain("CHECKPOINT_ONLINE");
  }
});
