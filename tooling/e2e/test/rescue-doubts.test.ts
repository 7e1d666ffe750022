// @module-tag needs-postgres-clients
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { openStore, readObject } from "@soar/storage";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { createSoarWorld, ROOT, runProgram, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

let world: SoarWorld;
let tempDir: string;
let instant: string;

const rescue = (args: readonly string[]): Promise<ProgramResult> =>
  world.run("soar-restore", args, { settings: { BACKUP_TEMP_DIR: tempDir, PGDATABASE: "soar" } });

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_dump", "pg_restore"),
    databases: ["soar", "moved", "slow", "first", "second"],
  });
  tempDir = `${world.directory}/temp`;
  mkdirSync(tempDir);
  const { cluster } = world;
  await cluster.query(
    "CREATE TABLE old_name AS SELECT n, repeat('x', 500) AS text FROM generate_series(1, 2000) n; CREATE TABLE other AS SELECT 1 AS a",
    [],
    "soar",
  );
  await cluster.query("CREATE TABLE t AS SELECT 42 AS answer", [], "moved");
  await cluster.query("CREATE TABLE t AS SELECT 'of the second' AS text", [], "second");
  await cluster.query(
    `CREATE SCHEMA "My schema"; CREATE TABLE "My schema"."Odd ""Table""" (id int PRIMARY KEY, big text); ALTER TABLE "My schema"."Odd ""Table""" ALTER big SET STORAGE EXTERNAL`,
    [],
    "soar",
  );
  await cluster.query(
    `INSERT INTO "My schema"."Odd ""Table""" SELECT n, repeat(md5(n::text), 500) FROM generate_series(1, 20) n`,
    [],
    "soar",
  );
  // Loading this one takes its time.
  await cluster.query(
    "CREATE TABLE t AS SELECT 1 AS a; CREATE FUNCTION wait(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.5); RETURN $1; END'; CREATE INDEX ON t (wait(a))",
    [],
    "slow",
  );
  await world.run("soar-base-backup", []);
  await preloadForeignLibrary();
  await passCheckpoint(cluster);
  await cluster.query(
    "ALTER TABLE old_name RENAME TO new_name; UPDATE new_name SET text = 'changed' WHERE n % 2 = 0",
    [],
    "soar",
  );
  await cluster.query("ALTER DATABASE moved RENAME TO renamed");
  await cluster.query("ALTER DATABASE first RENAME TO before");
  await cluster.query("ALTER DATABASE second RENAME TO first");
  instant = await databaseTime(cluster);
  await cluster.query("DROP TABLE other", [], "soar");
  await archiveAll(cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

/** As if the source had preloaded what this host does not have. */
async function preloadForeignLibrary(): Promise<void> {
  const { s3, settings } = world;
  const store = openStore({
    url: settings["BACKUP_BUCKET"] ?? "",
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: s3,
  });
  const key = [...s3.objects().keys()].find((name) => name.endsWith("/backup.json"))?.replace("cluster1/", "") ?? "";
  const { digest: _digest, ...record } = JSON.parse((await readObject(store, key)).toString("utf8")) as {
    digest?: string;
    settings: Record<string, string>;
  };
  await store.remove([key]);
  await store.put(
    key,
    Buffer.from(
      JSON.stringify({
        ...record,
        settings: { ...record.settings, shared_preload_libraries: "timescaledb, pg_stat_statements" },
      }),
    ),
  );
  await store.close();
}

test("a table that had another name in the backup: its file is missed, which is seen, and the whole database fetched", async () => {
  const file = join(world.directory, "new_name.sql");
  const result = await rescue(["table", "new_name", "--target-time", instant, "--output", file, "--json"]);
  expect(result, result.stderr).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("at the target the tables lie in files that were not fetched: base/"),
  });
  expect(result.stderr).toContain("not on this host, so not preloaded: timescaledb; what needs it cannot be dumped");
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "database" });
  const text = readFileSync(file, "utf8");
  expect(text.match(/^\d+\tchanged$/gm)).toHaveLength(1000);
  expect(text.match(/^\d+\tx{500}$/gm)).toHaveLength(1000);
});

test("a database that had another name in the backup is found in the whole cluster", async () => {
  const result = await rescue([
    "--target-time",
    instant,
    "--database",
    "renamed",
    "--target-database",
    "copy",
    "--no-destructive",
    "--json",
  ]);
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "cluster" });
  expect(await world.cluster.query("SELECT answer FROM t", [], "copy")).toEqual([{ answer: 42 }]);
});

test("a database whose name belongs to another one at the target: its files prove to be missing, and all are fetched", async () => {
  const file = join(world.directory, "first.sql");
  const args = ["table", "t", "--database", "first", "--target-time", instant, "--output", file, "--json"];
  const result = await rescue(args);
  expect(result, result.stderr).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/what was fetched does not suffice .*PG_VERSION/) as string,
  });
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "cluster" });
  expect(readFileSync(file, "utf8")).toContain("of the second");
});

test("without --no-destructive nothing is done, and both possibilities are shown", async () => {
  const result = await rescue(["--target-time", instant, "--target-database", "copy"]);
  expect(result).toMatchObject({
    status: 64,
    stderr: expect.stringMatching(/--target-database copy --no-destructive[\s\S]*leave --target-database out/),
  });
});

test("a table that there was not is named", async () => {
  const result = await rescue([
    "table",
    "public.nothing",
    "--target-time",
    instant,
    "--output",
    join(world.directory, "nothing.sql"),
  ]);
  expect(result).toMatchObject({
    status: 93,
    stderr: expect.stringContaining("there was no table 'public.nothing' in the database at the target"),
  });
  expect(existsSync(join(world.directory, "nothing.sql"))).toBe(false);
  expect(readdirSync(tempDir)).toEqual([]);
});

test("Ctrl-C in the middle leaves neither a server nor a file", async () => {
  const child = spawn(
    join(ROOT, "node_modules/.bin/soar-restore"),
    ["database", "--env-file", world.envFile, "--target-time", instant, "--target-database", "interrupted"],
    {
      env: { PATH: process.env["PATH"], BACKUP_TEMP_DIR: tempDir, PGDATABASE: "soar", SOAR_REQUIRE_ENDPOINT: "1" },
      stdio: "ignore",
    },
  );
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const scratchServer = () =>
    readdirSync(tempDir).flatMap((name) =>
      existsSync(join(tempDir, name, "data/postmaster.pid"))
        ? [Number.parseInt(readFileSync(join(tempDir, name, "data/postmaster.pid"), "utf8"), 10)]
        : [],
    );
  await waitUntil("the scratch server to start", async () => Promise.resolve(scratchServer().length > 0));
  const [pid = 0] = scratchServer();
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toMatch(/archive_mode=off/);
  child.kill("SIGINT");
  expect(await ended).toBe(4);
  expect(readdirSync(tempDir)).toEqual([]);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(await world.cluster.query("SELECT FROM pg_database WHERE datname = 'interrupted'")).toEqual([]);
});

test("kill -9 while the database is loaded: its name is not taken by half of it, and the next rescue removes what was left", async () => {
  const { cluster } = world;
  const args = ["database", "--database", "slow", "--target-time", instant, "--target-database", "killed"];
  const program = world.start("soar-restore", [...args, "--temp-dir", tempDir]);
  const loading = async () =>
    await cluster.query<{ name: string }>("SELECT datname AS name FROM pg_database WHERE datname LIKE 'killed%'");
  await waitUntil(
    "the load to be under way",
    async () =>
      (await cluster.query("SELECT FROM pg_stat_activity WHERE datname LIKE 'killed%' AND query LIKE 'CREATE INDEX%'"))
        .length > 0,
  );
  program.kill("SIGKILL");
  await program.result;
  const [left] = await loading();
  expect(left?.name).toMatch(/^killed_soar_[0-9a-f]{8}$/);
  expect(readdirSync(tempDir)).toHaveLength(1);
  const again = await rescue(args);
  expect(again, again.stderr).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(
      new RegExp(
        `removed ${tempDir}/soar-rescue-\\w+, left by a rescue that was killed[^]*dropped database ${left?.name}, which it had half loaded`,
      ),
    ),
  });
  expect(await loading()).toEqual([{ name: "killed" }]);
  expect(await cluster.query("SELECT a FROM t", [], "killed")).toEqual([{ a: 1 }]);
  expect(readdirSync(tempDir)).toEqual([]);
});

test("a table with odd names and long values, as an archive for pg_restore, and under another name in a database with its index", async () => {
  const { cluster } = world;
  const table = '"My schema"."Odd ""Table"""';
  const file = join(world.directory, "odd.dump");
  const written = await rescue(["table", table, "--target-time", instant, "--output", file, "--json"]);
  expect(written, written.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(written.stdout)).toMatchObject({
    scope: "relations",
    tables: [{ schema: "My schema", name: 'Odd "Table"' }],
  });
  expect((await cluster.runProgram("pg_restore", ["--list", file])).stdout).toMatch(
    /TABLE DATA My schema Odd "Table" /,
  );
  const into = await rescue(["table", table, "--target-time", instant, "--into", "soar", "--as", "public.odd before"]);
  expect(into, into.stderr).toMatchObject({ status: 0 });
  const digest = (name: string) =>
    cluster.query(
      `SELECT count(*)::int AS rows, md5(string_agg(id || big, ',' ORDER BY id)) AS digest, (SELECT count(*)::int FROM pg_index WHERE indrelid = '${name}'::regclass) AS indexes FROM ${name}`,
      [],
      "soar",
    );
  expect(await digest('public."odd before"')).toEqual(await digest(table));
});

test("the owner's line for the monthly test, by the name that it has there: the latest state in a database of its own", async () => {
  const scripts = join(world.directory, "scripts/backup");
  mkdirSync(scripts, { recursive: true });
  symlinkSync(join(ROOT, "node_modules/.bin/soar-restore"), join(scripts, "restore"));
  const lines = `${scripts}/restore \\
    --target-database soar_restore_test \\
    --no-destructive \\
    --latest`;
  const result = await runProgram(["sh", "-c", lines], {
    settings: { BACKUP_ENV_FILE: world.envFile, BACKUP_TEMP_DIR: tempDir, PGDATABASE: "soar" },
    directory: world.directory,
  });
  expect(result, result.stderr).toMatchObject({ status: 0 });
  const tables = (database: string) =>
    world.cluster.query(
      "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
      [],
      database,
    );
  expect(await tables("soar_restore_test")).toEqual([{ relname: "new_name" }]);
  await world.cluster.query("DROP DATABASE soar_restore_test");
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
  expect(
    await rescue(["table", "new_name", "--target-time", instant, "--output", join(world.directory, "before.sql")]),
  ).toMatchObject({ status: 0 });
});
