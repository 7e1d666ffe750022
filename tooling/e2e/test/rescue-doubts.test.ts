import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/test-servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { createSoarWorld, ROOT, type RunResult, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

let world: SoarWorld;
let tempDir: string;
let instant: string;

const rescue = (args: readonly string[]): Promise<RunResult> => world.run("soar-restore", args, { settings: { BACKUP_TEMP_DIR: tempDir, PGDATABASE: "soar" } });

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_dump", "pg_restore"), databases: ["soar", "moved"] });
  tempDir = `${world.directory}/temp`;
  const { cluster } = world;
  await cluster.query("CREATE TABLE old_name AS SELECT n, repeat('x', 500) AS text FROM generate_series(1, 2000) n; CREATE TABLE other AS SELECT 1 AS a", [], "soar");
  await cluster.query("CREATE TABLE t AS SELECT 42 AS answer", [], "moved");
  await world.run("soar-base-backup", []);
  await passCheckpoint(cluster);
  await cluster.query("ALTER TABLE old_name RENAME TO new_name; UPDATE new_name SET text = 'changed' WHERE n % 2 = 0", [], "soar");
  await cluster.query("ALTER DATABASE moved RENAME TO renamed");
  instant = await databaseTime(cluster);
  await cluster.query("DROP TABLE other", [], "soar");
  await archiveAll(cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

test("a table that had another name in the backup: its file is missed, which is seen, and the whole database fetched", async () => {
  const file = join(world.directory, "new_name.sql");
  const result = await rescue(["table", "new_name", "--target-time", instant, "--output", file, "--json"]);
  expect(result, result.stderr).toMatchObject({ status: 0, stderr: expect.stringContaining("at the target the tables lie in files that were not fetched: base/") });
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "database" });
  const text = readFileSync(file, "utf8");
  expect(text.match(/^\d+\tchanged$/gm)).toHaveLength(1000);
  expect(text.match(/^\d+\tx{500}$/gm)).toHaveLength(1000);
});

test("a database that had another name in the backup is found in the whole cluster", async () => {
  const result = await rescue(["--target-time", instant, "--database", "renamed", "--target-database", "copy", "--no-destructive", "--json"]);
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "cluster" });
  expect(await world.cluster.query("SELECT answer FROM t", [], "copy")).toEqual([{ answer: 42 }]);
});

test("without --no-destructive nothing is done, and both possibilities are shown", async () => {
  const result = await rescue(["--target-time", instant, "--target-database", "copy"]);
  expect(result).toMatchObject({ status: 64, stderr: expect.stringMatching(/--target-database copy --no-destructive[\s\S]*leave --target-database out/) });
});

test("a table that there was not is named", async () => {
  const result = await rescue(["table", "public.nothing", "--target-time", instant, "--output", join(world.directory, "nothing.sql")]);
  expect(result).toMatchObject({ status: 93, stderr: expect.stringContaining("there was no table 'public.nothing' in the database at the target") });
  expect(existsSync(join(world.directory, "nothing.sql"))).toBe(false);
  expect(readdirSync(tempDir)).toEqual([]);
});

test("Ctrl-C in the middle leaves neither a server nor a file", async () => {
  const child = spawn(join(ROOT, "node_modules/.bin/soar-restore"), ["database", "--env-file", world.envFile, "--target-time", instant, "--target-database", "interrupted"], {
    env: { PATH: process.env["PATH"], BACKUP_TEMP_DIR: tempDir, PGDATABASE: "soar", SOAR_REQUIRE_ENDPOINT: "1" },
    stdio: "ignore",
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const scratchServer = () => readdirSync(tempDir).flatMap((name) => (existsSync(join(tempDir, name, "data/postmaster.pid")) ? [Number.parseInt(readFileSync(join(tempDir, name, "data/postmaster.pid"), "utf8"), 10)] : []));
  await waitUntil("the scratch server to start", async () => Promise.resolve(scratchServer().length > 0));
  const [pid = 0] = scratchServer();
  child.kill("SIGINT");
  expect(await ended).toBe(4);
  expect(readdirSync(tempDir)).toEqual([]);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(await world.cluster.query("SELECT FROM pg_database WHERE datname = 'interrupted'")).toEqual([]);
});

test("WAL that creates a tablespace is not replayed: its directory is the living cluster's", async () => {
  const { cluster } = world;
  const location = cluster.tablespaceDir("fast");
  await cluster.query(`CREATE TABLESPACE fast LOCATION '${location}'`);
  await cluster.query("CREATE TABLE in_fast TABLESPACE fast AS SELECT 1 AS a", [], "soar");
  await archiveAll(cluster);
  const result = await rescue(["table", "new_name", "--output", join(world.directory, "latest.sql")]);
  expect(result).toMatchObject({ status: 93, stderr: expect.stringContaining("a tablespace is created at") });
  expect(await cluster.query("SELECT a FROM in_fast", [], "soar")).toEqual([{ a: 1 }]);
  expect(readdirSync(tempDir)).toEqual([]);
  // A target before it is fine.
  expect(await rescue(["table", "new_name", "--target-time", instant, "--output", join(world.directory, "before.sql")])).toMatchObject({ status: 0 });
});
