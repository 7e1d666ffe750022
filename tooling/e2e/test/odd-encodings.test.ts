// @module-tag needs-postgres-clients
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { connectSql } from "@soar/pg-tools/replication";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/**
 * Databases of two encodings, settings of roles and databases that have clients speak a third one, and a single superuser, whose name
 * was written in none of those that programs speak.
 */
let world: SoarWorld;
let tempDir: string;

const CHIEF = "ch\udce9f";

const asChief = async (
  sql: string,
  database = "postgres",
  values: readonly string[] = [],
): Promise<readonly Record<string, unknown>[]> => {
  await using connection = await connectSql(
    { ...world.cluster.connection, user: CHIEF, database },
    { writes: true, text: "unicode" },
  );
  return await connection.query(sql, values);
};

/** The cluster, for helpers that know `postgres` only. */
const asked = (): TestCluster => ({
  ...world.cluster,
  query: async <T>(sql: string, values: readonly unknown[] = []) =>
    (await asChief(sql, "postgres", values.map(String))) as T[],
});

const run = (
  binary: Parameters<SoarWorld["run"]>[0],
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<ProgramResult> =>
  world.run(binary, args, { settings: { PGUSER: "soar_backup", BACKUP_TEMP_DIR: tempDir, ...settings } });

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_dump", "pg_restore", "psql", "pg_amcheck"),
    initdbArgs: ["--encoding=UTF8", "--locale=C", "--wal-segsize=1"],
    databases: ["soar"],
  });
  tempDir = join(world.directory, "temp");
  mkdirSync(tempDir);
  const { cluster } = world;
  await cluster.query(`
    CREATE ROLE loader LOGIN CREATEDB;
    CREATE ROLE soar_backup LOGIN REPLICATION;
    GRANT pg_read_server_files, pg_monitor TO soar_backup;
    GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean), pg_show_all_file_settings(), pg_hba_file_rules(), pg_ident_file_mappings() TO soar_backup`);
  await cluster.query("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  // No LATIN1 has the sign of Ohm.
  await cluster.query("CREATE TABLE größen AS SELECT 'Ω ' || n AS größe FROM generate_series(1, 1000) n", [], "soar");
  await cluster.query("CREATE ROLE helper SUPERUSER LOGIN");
  {
    await using latin = await connectSql(
      { ...cluster.connection, user: "helper", database: "latin" },
      { writes: true, text: "unicode" },
    );
    await latin.query("CREATE TABLE public.größen AS SELECT 'é ' || n AS größe FROM generate_series(1, 1000) n");
    await latin.query("ALTER TABLE public.größen OWNER TO postgres");
    await latin.query('ALTER ROLE postgres RENAME TO "chéf"');
  }
  await asChief("DROP ROLE helper");
  for (const database of ["soar", "postgres"])
    await asChief(`ALTER DATABASE ${database} SET client_encoding = 'KOI8R'`);
  // Nobody's choice can be KOI8R there: no server knows a way between the two.
  await asChief("ALTER DATABASE latin SET client_encoding = 'UTF8'", "latin");
  await asChief("ALTER ROLE ALL SET client_encoding = 'KOI8R'");
  const backup = await run("soar-base-backup", ["--json"]);
  if (backup.status !== 0) throw new Error(backup.stderr);
  const { source } = JSON.parse(backup.stdout) as { source: { superuser?: string } };
  if (source.superuser !== CHIEF) throw new Error(`the record names '${source.superuser}'`);
  await archiveAll(asked());
});
afterAll(() => world[Symbol.asyncDispose]());

test("the drill enters and dumps every database, and asks its queries in the words of their file", async () => {
  const file = join(world.directory, "drill.sql");
  writeFileSync(
    file,
    `-- expect: Ω 7\n-- database: soar\nSELECT größe FROM größen WHERE größe LIKE 'Ω 7';\n
-- expect: é 7\n-- database: latin\nSELECT größe FROM größen WHERE größe = 'é 7';\n`,
  );
  const command = `psql -XAtc 'SELECT count(*) FROM pg_class' && psql -XAt "$DATABASE_URL" -c 'CREATE TABLE mine ()'`;
  const result = await run("soar-backup-verify", ["drill", "--sql", file, "--command", command, "--json"], {
    PGDATABASE: "soar",
  });
  expect(result, `${result.stderr}\n${result.stdout}`).toMatchObject({ status: 0 });
});

test.each(["soar", "latin"])(
  "a table with such a name and such rows is rescued from database %s to a file",
  async (database) => {
    const output = join(world.directory, `${database}.sql`);
    const result = await run("soar-restore", ["table", "größen", "--database", database, "--output", output, "--json"]);
    expect(result, result.stderr).toMatchObject({ status: 0 });
    const text = readFileSync(output).toString(
      /client_encoding = 'LATIN1'/.test(readFileSync(output, "latin1")) ? "latin1" : "utf8",
    );
    expect(text.match(/^(?:Ω|é) \d+$/gm)).toHaveLength(1000);
  },
);

test.each([
  ["soar", "Ω 7"],
  ["latin", "é 7"],
])("database %s is rescued into another one", async (database, row) => {
  const args = [
    "--latest",
    "--database",
    database,
    "--target-database",
    `${database}_copy`,
    "--no-destructive",
    "--no-owner",
  ];
  const result = await run("soar-restore", [...args, "--json"], { PGUSER: "loader" });
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(await asChief("SELECT größe FROM public.größen WHERE größe = $1", `${database}_copy`, [row])).toEqual([
    { größe: row },
  ]);
});

test("a table goes into a database of another encoding", async () => {
  await asChief("CREATE DATABASE filled OWNER loader");
  const args = ["table", "größen", "--database", "latin", "--into", "filled", "--as", "elsewhere", "--no-owner"];
  const result = await run("soar-restore", [...args, "--json"], { PGUSER: "loader" });
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(await asChief("SELECT count(*)::int AS rows FROM elsewhere.größen WHERE größe LIKE 'é %'", "filled")).toEqual([
    { rows: 1000 },
  ]);
});

test("the server comes back in its place", async () => {
  await world.cluster.kill();
  const result = await run("soar-restore", ["--latest", "--yes", "--json"]);
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({ checks: { findings: [] } });
});
