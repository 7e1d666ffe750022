import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { databaseDigest, differingTables, loadAviationData, requireInstallation } from "@soar-tooling/test-servers";
import type { BackupRecord } from "@soar/repository";
import { openStore, readObject } from "@soar/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { findFreePort } from "../src/free-port.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

let world: SoarWorld;
let first: BackupRecord;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation(), initdbArgs: ["--data-checksums"], databases: ["soar"] });
  const { cluster } = world;
  await cluster.query("ALTER SYSTEM SET work_mem = '7MB'");
  await loadAviationData((sql) => cluster.query(sql, [], "soar"), { sizeMb: 4 });
  first = JSON.parse((await world.run("soar-base-backup", ["--json"])).stdout) as BackupRecord;
  await cluster.query("DELETE FROM devices WHERE id IN (SELECT id FROM devices LIMIT 10); CREATE TABLE later AS SELECT n FROM generate_series(1, 1000) n", [], "soar");
  await cluster.query("CHECKPOINT");
  await archiveAll(cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

test("a backup from the archive: production is not asked, nothing of the scratch cluster is in it, and it restores row by row", async () => {
  const { cluster, s3, directory } = world;
  const tempDir = join(directory, "temp");
  // Nobody answers there.
  const result = await world.run("soar-base-backup", ["take", "--from-archive", "--no-expire", "--label", "2025-01-05", "--json"], { settings: { BACKUP_TEMP_DIR: tempDir, PGHOST: "127.0.0.1", PGPORT: String(await findFreePort()) } });
  expect(result, result.stderr).toMatchObject({ status: 0 });
  const record = JSON.parse(result.stdout) as BackupRecord;
  expect(record).toMatchObject({ kind: "full", timeline: first.timeline, settings: first.settings, databases: first.databases, tablespaces: [], source: { ...first.source, fromStandby: true } });
  expect(BigInt(`0x${record.lastSegment}`)).toBeGreaterThan(BigInt(`0x${first.lastSegment}`));
  expect(readdirSync(tempDir)).toEqual([]);

  const store = openStore({ url: `s3://${s3.bucket}/cluster1`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  const unpacked = join(directory, "unpacked");
  mkdirSync(unpacked);
  writeFileSync(join(directory, "backup.tar.gz"), await readObject(store, "base/2025-01-05/backup.tar.gz"));
  expect(await readObject(store, "base/2025-01-05/server-config.tar.gz")).toEqual(await readObject(store, `base/${first.label}/server-config.tar.gz`));
  await store.close();
  expect(spawnSync("tar", ["xzf", join(directory, "backup.tar.gz"), "-C", unpacked])).toMatchObject({ status: 0 });
  const foreign = ["standby.signal", "recovery.signal", "backup_label.old", "tablespace_map.old", "soar-restore", "postmaster.pid"];
  expect(foreign.filter((name) => existsSync(join(unpacked, name)))).toEqual([]);
  for (const name of ["postgresql.auto.conf", "postgresql.conf", "pg_hba.conf"]) expect(readFileSync(join(unpacked, name), "utf8"), name).toBe(readFileSync(join(cluster.dataDir, name), "utf8"));

  // Nothing was written since: at the position of the backup, production holds what it holds now.
  const expected = await databaseDigest((sql) => cluster.query(sql, [], "soar"));
  await cluster.kill();
  await rm(cluster.dataDir, { recursive: true });
  const restored = await world.run("soar-restore", ["--base-backup", "2025-01-05", "--latest", "--yes"]);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  expect(differingTables(await databaseDigest((sql) => cluster.query(sql, [], "soar")), expected)).toEqual([]);
});

test("a cluster with tablespaces is refused before anything is fetched", async () => {
  const { cluster, directory } = world;
  await cluster.query(`CREATE TABLESPACE fast LOCATION '${cluster.tablespaceDir("fast")}'`);
  await world.run("soar-base-backup", ["--label", "2025-01-06T000000Z"]);
  const result = await world.run("soar-base-backup", ["take", "--from-archive"], { settings: { BACKUP_TEMP_DIR: join(directory, "temp") } });
  expect(result).toMatchObject({ status: 82, stderr: expect.stringContaining("the cluster has tablespaces") });
});
