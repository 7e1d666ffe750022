// @module-tag needs-postgres-clients
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { connectSql } from "@soar/pg-tools/replication";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/**
 * A server as its administrators have made it, and nothing of it as it came: no database `postgres`, a superuser of another
 * name, the role of the README, which may connect to one database only, databases whose names are no UTF-8, that are closed, full, or
 * templates, and settings that are meant for applications.
 */
let world: SoarWorld;
let tempDir: string;

const LATIN1_NAME = "caf\udce9";
const QUOTED_NAME = `o'clock "twelve"\n`;

const asChief = async (
  sql: string,
  database = "main",
  values: readonly string[] = [],
): Promise<readonly Record<string, unknown>[]> => {
  await using connection = await connectSql(
    { ...world.cluster.connection, user: "chief", database, isOwnServer: true },
    { writes: true, text: "unicode" },
  );
  return await connection.query(sql, values);
};

/** The cluster, for helpers that know `postgres` only. */
const cluster = (): TestCluster => ({
  ...world.cluster,
  query: async <T>(sql: string, values: readonly unknown[] = []) =>
    (await asChief(sql, "main", values.map(String))) as T[],
});

const run = (
  binary: Parameters<SoarWorld["run"]>[0],
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<ProgramResult> =>
  world.run(binary, args, {
    settings: { PGUSER: "soar_backup", PGDATABASE: "main", BACKUP_TEMP_DIR: tempDir, ...settings },
  });

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_dump", "pg_restore", "psql", "pg_amcheck"),
    initdbArgs: ["--encoding=SQL_ASCII", "--wal-segsize=1"],
    databases: ["soar", "named below", "closed", "full", "template", "latin1"],
  });
  tempDir = join(world.directory, "temp");
  mkdirSync(tempDir);
  const { cluster: server } = world;
  await server.query(`
    CREATE ROLE chief LOGIN SUPERUSER;
    CREATE ROLE application;
    CREATE ROLE dba LOGIN SUPERUSER;
    CREATE ROLE soar_backup LOGIN REPLICATION;
    GRANT pg_read_server_files, pg_monitor TO soar_backup;
    GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean), pg_show_all_file_settings(), pg_hba_file_rules(), pg_ident_file_mappings() TO soar_backup`);
  await server.query("CREATE TABLE devices AS SELECT n AS id FROM generate_series(1, 1000) n", [], "soar");
  await server.query("CREATE TABLE devices AS SELECT n AS id FROM generate_series(1, 10) n", [], "closed");
  await server.query(
    `CREATE FUNCTION deny() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'nobody changes this schema'; END $$;
     CREATE EVENT TRIGGER deny ON ddl_command_start EXECUTE FUNCTION deny(); ALTER EVENT TRIGGER deny ENABLE ALWAYS`,
    [],
    "soar",
  );
  await server.query("ALTER DATABASE postgres RENAME TO main", [], "template1");
  await asChief("DROP DATABASE latin1");
  await asChief("CREATE DATABASE latin1 ENCODING 'LATIN1' TEMPLATE template0");
  for (const database of ["soar", "main", "named below", "closed", "full", "template", "latin1"])
    await asChief(`REVOKE CONNECT ON DATABASE "${database}" FROM PUBLIC`);
  await asChief("GRANT CONNECT ON DATABASE main TO soar_backup");
  await asChief(String.raw`UPDATE pg_database SET datname = E'caf\xe9' WHERE datname = 'named below'`);
  await asChief(`CREATE DATABASE "${QUOTED_NAME.replaceAll('"', '""')}"`);
  await asChief("ALTER DATABASE closed ALLOW_CONNECTIONS false");
  await asChief('ALTER DATABASE "full" CONNECTION LIMIT 0');
  await asChief("ALTER DATABASE template IS_TEMPLATE true");
  for (const whose of ["ROLE chief", "ROLE dba", "DATABASE soar", "ROLE soar_backup"])
    for (const setting of [
      "statement_timeout = '10ms'",
      "idle_in_transaction_session_timeout = '10ms'",
      "default_transaction_read_only = on",
      "search_path = nowhere",
      "client_encoding = 'LATIN1'",
    ])
      await asChief(`ALTER ${whose} SET ${setting}`);
  await asChief("ALTER ROLE chief SET role = 'application'");
  await asChief("ALTER SYSTEM SET default_transaction_isolation = 'serializable'");
  await asChief("ALTER ROLE postgres NOLOGIN");
  await asChief("SELECT pg_reload_conf()");
  const backup = await run("soar-base-backup", ["--json"]);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(cluster());
});
afterAll(() => world[Symbol.asyncDispose]());

test("a backup is taken, whichever database is configured, and knows every database and a superuser by name", async () => {
  // "postgres" is not there, and nobody shall sit in template1, from which databases are made.
  for (const PGDATABASE of ["postgres", "soar"]) {
    const result = await run("soar-base-backup", ["take", "--no-expire", "--json"], { PGDATABASE });
    expect(result, result.stderr).toMatchObject({ status: 0 });
    const record = JSON.parse(result.stdout) as { databases: { name: string }[]; source: { superuser?: string } };
    expect(record.databases.map(({ name }) => name)).toEqual(expect.arrayContaining([LATIN1_NAME, QUOTED_NAME]));
    expect(record.source.superuser).toBe("chief");
  }
});

test("two backups at a time are refused, also where they come in by different databases", async () => {
  await using connection = await connectSql({ ...world.cluster.connection, user: "dba", database: "main" });
  // As a backup holds it: "soar" and "base" in ASCII.
  await connection.query("SELECT pg_advisory_lock(1936679282, 1650553701)");
  const result = await run("soar-base-backup", ["take", "--no-expire"], { PGUSER: "dba", PGDATABASE: "soar" });
  expect(result, result.stderr).toMatchObject({ status: 66 });
});

test("the drill enters every database, also one that lets nobody in", async () => {
  const result = await run("soar-backup-verify", ["drill", "--json"]);
  expect(result, `${result.stderr}\n${result.stdout}`).toMatchObject({ status: 0 });
  const { checks } = JSON.parse(result.stdout) as { checks: { kind: string; detail: string }[] };
  // template1, soar, closed, full, template, and those whose names are told above.
  expect(checks.find(({ kind }) => kind === "amcheck")?.detail).toContain("of 9 databases is sound");
});

test("a table is rescued from its own files", async () => {
  const file = join(world.directory, "devices.sql");
  const result = await run("soar-restore", ["table", "devices", "--database", "soar", "--output", file, "--json"]);
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "relations" });
  expect(readFileSync(file, "utf8").match(/^\d+$/gm)).toHaveLength(1000);
});

test("a table of a database that lets nobody in is rescued from its own files all the same", async () => {
  const file = join(world.directory, "closed.sql");
  const args = ["table", "devices", "--database", "closed", "--output", file, "--json"];
  const result = await run("soar-restore", args);
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "relations" });
  expect(readFileSync(file, "utf8").match(/^\d+$/gm)).toHaveLength(10);
});

test("a table goes to another schema, whatever event triggers forbid at the source", async () => {
  await asChief("CREATE DATABASE rescued");
  const args = ["table", "devices", "--database", "soar", "--into", "rescued", "--as", "elsewhere", "--no-owner"];
  const result = await run("soar-restore", [...args, "--json"], { PGUSER: "dba" });
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(await asChief("SELECT count(*)::int AS rows FROM elsewhere.devices", "rescued")).toEqual([{ rows: 1000 }]);
});

test("a database is rescued from its own files", async () => {
  const args = ["--latest", "--database", "soar", "--target-database", "copy", "--no-destructive", "--no-owner"];
  const result = await run("soar-restore", [...args, "--json"], { PGUSER: "dba" });
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "database" });
  expect(await asChief("SELECT count(*)::int AS rows FROM public.devices", "copy")).toEqual([{ rows: 1000 }]);
});

test("a backup is taken from the archive", async () => {
  const result = await run("soar-base-backup", ["take", "--from-archive", "--no-expire", "--json"]);
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({ source: { superuser: "chief" } });
});

test("the server comes back in its place, and what nobody could enter is a line of the report", async () => {
  await world.cluster.kill();
  const result = await run("soar-restore", ["--latest", "--yes", "--json"]);
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({
    inPlace: true,
    outcome: "promoted",
    checks: { findings: ["database 'closed' takes no connections (ALLOW_CONNECTIONS false): nobody looked inside"] },
  });
  expect(await asChief("SELECT count(*)::int AS rows FROM public.devices", "soar")).toEqual([{ rows: 1000 }]);
});
