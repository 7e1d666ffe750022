// @module-tag needs-postgres-clients
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  databaseDigest,
  differingTables,
  loadAviationData,
  requireInstallation,
} from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import type { BackupRecord } from "@soar/repository";
import { openStore, readObject } from "@soar/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { startTailShipping, waitForTail } from "../src/tail.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** Found when a test asks, because the file is read where its tests are skipped, too. */
const installation = () => requireInstallation("pg_verifybackup");
let world: SoarWorld;
let first: BackupRecord;
/** Of a tablespace, on the server. */
let fast: string;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: installation(),
    initdbArgs: ["--data-checksums"],
    databases: ["soar"],
  });
  const { cluster } = world;
  await cluster.query("ALTER SYSTEM SET work_mem = '7MB'");
  fast = cluster.tablespaceDir("fast");
  await cluster.query(`CREATE TABLESPACE fast LOCATION '${fast}'`);
  await loadAviationData((sql) => cluster.query(sql, [], "soar"), { sizeMb: 4 });
  first = JSON.parse((await world.run("soar-base-backup", ["--json"])).stdout) as BackupRecord;
  await cluster.query(
    "DELETE FROM devices WHERE id IN (SELECT id FROM devices LIMIT 10); CREATE TABLE later TABLESPACE fast AS SELECT n FROM generate_series(1, 1000) n",
    [],
    "soar",
  );
  await cluster.query("CHECKPOINT");
  await archiveAll(cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

test("a backup from the archive: production is not asked, nothing of the scratch cluster is in it, and it restores row by row", async () => {
  const { cluster, directory } = world;
  const tempDir = join(directory, "temp");
  // What lies in the tail only is no base for a backup.
  const daemon = startTailShipping(world);
  await cluster.query("INSERT INTO later VALUES (1001)", [], "soar");
  await waitForTail(world);
  daemon.kill("SIGTERM");
  await daemon.result;
  const [{ unfinished } = { unfinished: "" }] = await cluster.query<{ unfinished: string }>(
    "SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS unfinished",
  );
  // Nobody answers there.
  const result = await world.run(
    "soar-base-backup",
    ["take", "--from-archive", "--no-expire", "--label", "2025-01-05", "--json"],
    { settings: { BACKUP_TEMP_DIR: tempDir, PGHOST: "127.0.0.1", PGPORT: String(await freePort()) } },
  );
  expect(result, result.stderr).toMatchObject({ status: 0 });
  const record = JSON.parse(result.stdout) as BackupRecord;
  expect(record).toMatchObject({
    kind: "full",
    timeline: first.timeline,
    settings: first.settings,
    databases: first.databases,
    tablespaces: first.tablespaces,
    source: { ...first.source, method: "replication", fromStandby: true },
  });
  expect(BigInt(`0x${record.lastSegment}`)).toBeGreaterThan(BigInt(`0x${first.lastSegment}`));
  expect(record.lastSegment < unfinished).toBe(true);
  expect(readdirSync(tempDir)).toEqual([]);

  const [oid] = first.tablespaces.map((tablespace) => tablespace.oid);
  expect(record.archives.map(({ object }) => object)).toEqual([`${oid}.tar.gz`, "backup.tar.gz"]);
  const unpacked = await unpack(record);
  const data = join(unpacked, "base");
  const foreign = [
    "standby.signal",
    "recovery.signal",
    "backup_label.old",
    "tablespace_map.old",
    "soar-restore",
    "postmaster.pid",
  ];
  expect(foreign.filter((name) => existsSync(join(data, name)))).toEqual([]);
  for (const name of ["postgresql.auto.conf", "postgresql.conf", "pg_hba.conf"])
    expect(readFileSync(join(data, name), "utf8"), name).toBe(readFileSync(join(cluster.dataDir, name), "utf8"));
  expect(readFileSync(join(data, "tablespace_map"), "utf8")).toBe(`${oid} ${fast}\n`);
  // As recovery does it from that file.
  symlinkSync(join(unpacked, String(oid)), join(data, "pg_tblspc", String(oid)));
  expect(
    spawnSync(join(installation().binDir, "pg_verifybackup"), ["--no-parse-wal", data], { encoding: "utf8" }),
  ).toMatchObject({ status: 0, stderr: "" });

  // With the tail, a restore to the latest state holds what production holds now.
  const expected = await databaseDigest((sql) => cluster.query(sql, [], "soar"));
  await cluster.kill();
  for (const place of [cluster.dataDir, fast]) await rm(place, { recursive: true });
  const restored = await world.run("soar-restore", ["--base-backup", "2025-01-05", "--latest", "--yes"]);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  expect(differingTables(await databaseDigest((sql) => cluster.query(sql, [], "soar")), expected)).toEqual([]);
});

test("from its beginning it is the only backup of the repository; ended before its time, it leaves no claim", async () => {
  const { s3, directory } = world;
  const settings = { BACKUP_TEMP_DIR: join(directory, "temp") };
  const stalled = s3.inject({
    operation: "GetObject",
    key: /backup\.tar\.gz$/,
    times: "always",
    fault: { type: "stall" },
  });
  const program = world.start("soar-base-backup", ["take", "--from-archive", "--no-expire"], { settings });
  await stalled.firstHit;
  stalled.remove();
  for (const args of [[], ["take", "--from-archive"]]) {
    expect(await world.run("soar-base-backup", args, { settings })).toMatchObject({
      status: 66,
      stderr: expect.stringMatching(/was begun .* and may still be running/),
    });
  }
  expect(unfinishedBackups()).toHaveLength(1);
  program.kill("SIGTERM");
  expect(await program.result).toMatchObject({ status: 4 });
  expect(unfinishedBackups()).toEqual([]);
  expect(readdirSync(settings.BACKUP_TEMP_DIR)).toEqual([]);
});

test("WAL that creates a tablespace is refused before it is replayed", async () => {
  const { cluster, directory } = world;
  await world.run("soar-base-backup", ["--label", "2025-01-06T000000Z"]);
  const place = cluster.tablespaceDir("later");
  await cluster.query(`CREATE TABLESPACE later LOCATION '${place}'`);
  await archiveAll(cluster);
  const before = readdirSync(place, { recursive: true });
  const result = await world.run("soar-base-backup", ["take", "--from-archive"], {
    settings: { BACKUP_TEMP_DIR: join(directory, "temp") },
  });
  expect(result).toMatchObject({
    status: 93,
    stderr: expect.stringMatching(/a tablespace is created at .*take a base backup from the server/s),
  });
  expect(readdirSync(place, { recursive: true })).toEqual(before);
});

/** Keys of claims without a backup. */
function unfinishedBackups(): string[] {
  const keys = [...world.s3.objects(world.s3.bucket).keys()];
  return keys.filter(
    (key) => key.endsWith("/started.json") && !keys.includes(key.replace("started.json", "backup.json")),
  );
}

/** With standard tools; the data directory as `base`, tablespaces by their OIDs. */
async function unpack(record: BackupRecord): Promise<string> {
  const { s3, directory } = world;
  const store = openStore({
    url: `s3://${s3.bucket}/cluster1`,
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: s3,
  });
  expect(await readObject(store, `base/${record.label}/server-config.tar.gz`)).toEqual(
    await readObject(store, `base/${first.label}/server-config.tar.gz`),
  );
  const unpacked = join(directory, "unpacked");
  for (const { oid, object } of record.archives) {
    const target = join(unpacked, String(oid ?? "base"));
    mkdirSync(target, { recursive: true });
    writeFileSync(join(directory, object), await readObject(store, `base/${record.label}/${object}`));
    expect(spawnSync("tar", ["xzf", join(directory, object), "-C", target], { encoding: "utf8" })).toMatchObject({
      status: 0,
      stderr: "",
    });
  }
  writeFileSync(
    join(unpacked, "base", "backup_manifest"),
    await readObject(store, `base/${record.label}/backup_manifest`),
  );
  await store.close();
  return unpacked;
}
