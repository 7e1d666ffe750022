import { readdirSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { openStore, readObject, type ObjectStore } from "@soar/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { takeArchivedBackup } from "../src/commit-unarchived.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** A repository of which one record was lost or damaged, in a bucket that keeps no older versions. */
let world: SoarWorld;
let store: ObjectStore;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation(),
    initdbArgs: ["--wal-segsize=1"],
    settings: { wal_keep_size: "1GB" },
  });
  const { s3 } = world;
  const url = `s3://${s3.bucket}/cluster1`;
  store = openStore({ url, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  await takeArchivedBackup(world);
});
afterAll(async () => {
  await store.close();
  await world[Symbol.asyncDispose]();
});

/** Of complete backups, oldest first. */
async function recordKeys(): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list("base/")) if (key.endsWith("/backup.json")) found.push(key);
  return found;
}

test("a repository whose own record is gone says so, and any segment of the cluster brings it back", async () => {
  // Its next segment would bring the record back.
  await world.cluster.stop();
  await store.remove(["config/backup-config.json"]);
  for (const args of [["list"], ["plan", "--latest"]]) {
    const result = await world.run("soar-restore", args);
    expect(result).toMatchObject({ status: 60 });
    expect(result.stderr).toMatch(/config\/backup-config\.json' is missing, the record of this repository/);
    expect(result.stderr).toContain("soar-wal-archive FILE NAME");
  }
  const walDir = join(world.cluster.dataDir, "pg_wal");
  const [name = ""] = readdirSync(walDir)
    .filter((each) => /^[0-9A-F]{24}$/.test(each))
    .sort();
  const archived = await world.run("soar-wal-archive", [join(walDir, name), name]);
  expect(archived, archived.stderr).toMatchObject({ status: 0 });
  expect(await world.run("soar-restore", ["list"])).toMatchObject({ status: 0 });
  await world.cluster.start();
});

test("a record that is damaged for good does not stop expiry for ever", async () => {
  await takeArchivedBackup(world);
  const [record = ""] = await recordKeys();
  await store.remove([record]);
  await store.put(record, Buffer.from("{"));
  const stopped = await world.run("soar-base-backup", ["expire", "--yes"]);
  expect(stopped).toMatchObject({
    status: 63,
    stderr: expect.stringContaining(`remove the one object ${record}`) as string,
  });
  await store.remove([record]);
  const expired = await world.run("soar-base-backup", ["expire", "--yes"]);
  expect(expired, expired.stderr).toMatchObject({ status: 0 });
  await takeArchivedBackup(world);
  const left: string[] = [];
  for await (const { key } of store.list(record.replace("backup.json", ""))) left.push(key);
  expect(left).toEqual([]);
});

test("an incremental is restored although the record of what it refers to was lost: all bytes are there", async () => {
  const taken = await world.run("soar-base-backup", ["take", "--incremental", "--no-expire"]);
  expect(taken, taken.stderr).toMatchObject({ status: 0 });
  const records = await Promise.all((await recordKeys()).map(async (key) => await readObject(store, key)));
  const references = records.flatMap((bytes) => (JSON.parse(bytes.toString()) as { references: string[] }).references);
  expect(references).toHaveLength(1);
  const full = `base/${references[0]}/backup.json`;
  for (const damaged of [undefined, Buffer.from("{")]) {
    await store.remove([full]);
    if (damaged !== undefined) await store.put(full, damaged);
    const dataDir = join(world.directory, damaged === undefined ? "lost" : "damaged");
    const restored = await world.run("soar-restore", [
      "--immediate",
      "--target-action",
      "shutdown",
      "--data-dir",
      dataDir,
      "--yes",
    ]);
    expect(restored, restored.stderr).toMatchObject({ status: 0 });
  }
});
