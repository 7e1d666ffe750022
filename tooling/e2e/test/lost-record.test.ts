import { join } from "node:path";
import { readdirSync } from "node:fs";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { openStore, type ObjectStore } from "@soar/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { takeArchivedBackup } from "../src/commit-unarchived.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** A repository of which one record was lost or damaged, in a bucket that keeps no older versions. */
let world: SoarWorld;
let store: ObjectStore;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation(), initdbArgs: ["--wal-segsize=1"] });
  const { s3 } = world;
  const url = `s3://${s3.bucket}/cluster1`;
  store = openStore({ url, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  await takeArchivedBackup(world);
});
afterAll(async () => {
  await store.close();
  await world[Symbol.asyncDispose]();
});

test("a repository whose own record is gone says so, and any segment of the cluster brings it back", async () => {
  await store.remove(["config/backup-config.json"]);
  for (const args of [["list"], ["plan", "--latest"]]) {
    const result = await world.run("soar-restore", args);
    expect(result).toMatchObject({ status: 60 });
    expect(result.stderr).toMatch(/config\/backup-config\.json' is missing, the record of this repository/);
    expect(result.stderr).toContain("soar-wal-archive FILE NAME");
  }
  const walDir = join(world.cluster.dataDir, "pg_wal");
  const [name = ""] = readdirSync(walDir).filter((each) => /^[0-9A-F]{24}$/.test(each));
  const archived = await world.run("soar-wal-archive", [join(walDir, name), name]);
  expect(archived, archived.stderr).toMatchObject({ status: 0 });
  expect(await world.run("soar-restore", ["list"])).toMatchObject({ status: 0 });
});

test("a record that is damaged for good does not stop expiry for ever", async () => {
  await takeArchivedBackup(world);
  const found: string[] = [];
  for await (const { key } of store.list("base/")) if (key.endsWith("/backup.json")) found.push(key);
  const [record = ""] = found;
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
