// @module-tag needs-postgres-clients
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { openStore } from "@soar/storage";
import type { DrillReport } from "@soar/verify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { copyAsOld } from "../src/old-backup.ts";
import { type Binary, createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

const FIRST = "2025-03-03";
/** Planned by every command, and gone before any of them has told expiry of it. */
const GONE = "2025-03-04";
let world: SoarWorld;
let tempDir: string;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_ctl", "pg_dump", "pg_restore"),
    databases: ["soar"],
  });
  tempDir = join(world.directory, "temp");
  await world.cluster.query("CREATE TABLE devices AS SELECT 1 AS id", [], "soar");
  const backup = await world.run("soar-base-backup", ["--label", FIRST, "--no-expire"]);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await world.cluster.query("INSERT INTO devices VALUES (2)", [], "soar");
  await archiveAll(world.cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

/** Runs a command whose plan loses its backup while it is about to tell expiry what it reads. */
async function runWhileItExpires(binary: Binary, args: readonly string[]): Promise<ProgramResult> {
  const { s3 } = world;
  await copyAsOld(world, FIRST, GONE);
  const stall = s3.inject({ operation: "PutObject", key: /\/config\/leases\//, fault: { type: "stall" } });
  const running = world.run(binary, args, {
    settings: { BACKUP_TEMP_DIR: tempDir, BACKUP_DRILL_STATE_DIR: join(world.directory, "drill") },
  });
  const ended = await Promise.race([stall.firstHit, running]);
  expect(ended, ended?.stderr).toBeUndefined();
  await removeBackup(GONE);
  stall.release();
  const result = await running;
  expect(result, result.stderr).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(new RegExp(`planned again.* expired since.*${FIRST}`)),
  });
  expect(readdirSync(tempDir)).toEqual([]);
  expect([...s3.objects().keys()].filter((key) => key.includes("/config/leases/"))).toEqual([]);
  return result;
}

async function removeBackup(label: string): Promise<void> {
  const { s3, settings } = world;
  const store = openStore({
    url: settings["BACKUP_BUCKET"] ?? "",
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: s3,
  });
  const keys: string[] = [];
  for await (const { key } of store.list(`base/${label}/`)) keys.push(key);
  expect(keys).toContain(`base/${label}/backup.json`);
  await store.remove(keys);
  await store.close();
}

test("a drill whose backup expires before expiry knows of it drills with what is there, and its report says so", async () => {
  const { stdout } = await runWhileItExpires("soar-backup-verify", ["drill", "--json"]);
  const report = JSON.parse(stdout) as DrillReport;
  expect(report).toMatchObject({ outcome: "passed", tested: { label: FIRST } });
  expect(report.issues.filter((issue) => issue.includes("planned again"))).toEqual([expect.stringContaining(GONE)]);
});

test("tables whose backup expires before expiry knows of it are rescued from what is there", async () => {
  const path = join(world.directory, "devices.sql");
  const args = ["public.devices", "--database", "soar", "--data-only", "--output", path, "--json"];
  const { stdout } = await runWhileItExpires("soar-restore", ["table", ...args]);
  expect(JSON.parse(stdout)).toMatchObject({ backup: FIRST });
  expect(readFileSync(path, "utf8")).toMatch(/^1\n2\n/m);
});

test("so is a database", async () => {
  const args = ["--database", "soar", "--target-database", "rescued", "--latest", "--json"];
  const { stdout } = await runWhileItExpires("soar-restore", ["database", ...args]);
  expect(JSON.parse(stdout)).toMatchObject({ backup: FIRST });
  expect(await world.cluster.query("SELECT id FROM devices", [], "rescued")).toEqual([{ id: 1 }, { id: 2 }]);
});

test("a backup from the archive begins with what is there when the backup that it was to begin with expires", async () => {
  const args = ["--from-archive", "--no-expire", "--label", "2025-03-05", "--json"];
  const { stdout } = await runWhileItExpires("soar-base-backup", ["take", ...args]);
  expect(JSON.parse(stdout)).toMatchObject({ label: "2025-03-05", kind: "full" });
});
