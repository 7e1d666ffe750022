// @module-tag needs-postgres-clients
import { mkdirSync, readdirSync } from "node:fs";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

/** A server with a database of which a part cannot be loaded any more, and an empty one that an operator has prepared. */
let world: SoarWorld;
let tempDir: string;
let instant: string;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_dump", "pg_restore"),
    databases: ["soar", "slow"],
  });
  tempDir = `${world.directory}/temp`;
  mkdirSync(tempDir);
  const { cluster } = world;
  await cluster.query("CREATE ROLE gone; CREATE ROLE limited LOGIN; CREATE ROLE reader");
  await cluster.query(
    "CREATE TABLE first AS SELECT generate_series(1, 100) AS a; CREATE TABLE last AS SELECT 1 AS a; ALTER TABLE last OWNER TO gone",
    [],
    "soar",
  );
  await cluster.query(
    "CREATE TABLE t AS SELECT 1 AS a; CREATE FUNCTION wait(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.5); RETURN $1; END'; CREATE INDEX ON t (wait(a))",
    [],
    "slow",
  );
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await passCheckpoint(cluster);
  await cluster.query("SELECT txid_current()");
  instant = await databaseTime(cluster);
  await cluster.query("ALTER TABLE last OWNER TO postgres; DROP ROLE gone", [], "soar");
  await archiveAll(cluster);
});
afterAll(() => world[Symbol.asyncDispose]());
afterEach(async () => {
  if (readdirSync(tempDir).length > 0) throw new Error(`left in ${tempDir}: ${readdirSync(tempDir).join(", ")}`);
  for (const { name } of await names()) await world.cluster.query(`DROP DATABASE ${name} WITH (FORCE)`);
});

const names = () =>
  world.cluster.query<{ name: string }>(
    "SELECT datname AS name FROM pg_database WHERE datname LIKE 'prepared%' ORDER BY 1",
  );
const tables = () =>
  world.cluster.query(
    "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    [],
    "prepared",
  );
const rescue = (
  source: string,
  args: readonly string[] = [],
  settings: Readonly<Record<string, string>> = {},
): Promise<ProgramResult> =>
  world.run(
    "soar-restore",
    ["database", "--database", source, "--target-time", instant, "--target-database", "prepared", ...args],
    { settings: { BACKUP_TEMP_DIR: tempDir, ...settings } },
  );

/** As its owner has made it, with something in it that belongs to an extension. */
async function prepare(owner: string): Promise<unknown> {
  const { cluster } = world;
  await cluster.query(
    `CREATE DATABASE prepared OWNER ${owner} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' CONNECTION LIMIT 7`,
  );
  await cluster.query(
    "REVOKE CONNECT ON DATABASE prepared FROM PUBLIC; GRANT TEMPORARY ON DATABASE prepared TO reader WITH GRANT OPTION",
  );
  await cluster.query(
    `ALTER DATABASE prepared SET search_path TO "Odd, schema", public; ALTER ROLE reader IN DATABASE prepared SET work_mem TO '5MB'; ALTER DATABASE prepared SET app.mode TO 'it''s'`,
  );
  return await properties();
}

const properties = () =>
  world.cluster.query(
    `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datconnlimit AS limit, pg_get_userbyid(datdba) AS owner,
       (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(datacl) x) AS acl,
       (SELECT array_agg(concat(setrole::regrole, setconfig) ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings
     FROM pg_database d WHERE datname = 'prepared'`,
  );

test.each([
  ["postgres", "by way of a copy of it"],
  ["limited", "in one transaction, by a role that may not create databases"],
])("a load that fails halfway leaves the database of %s empty: %s", async (role) => {
  const before = await prepare(role);
  const result = await rescue("soar", [], { PGUSER: role });
  expect(result).toMatchObject({
    status: 24,
    stderr: expect.stringMatching(
      /could not execute query: ERROR: [^]*hint: Nothing was left behind.*--no-owner/,
    ) as string,
  });
  expect(await names()).toEqual([{ name: "prepared" }]);
  expect(await tables()).toEqual([]);
  expect(await properties()).toEqual(before);
});

test.each(["postgres", "limited"])(
  "an empty database of %s is filled and stays as it was made; who is connected is not in the way",
  async (role) => {
    const before = await prepare(role);
    const client =
      role === "postgres"
        ? world.cluster.runProgram("psql", ["-c", "SELECT pg_sleep(600)", "prepared"]).catch((error: unknown) => error)
        : undefined;
    if (client !== undefined)
      await waitUntil(
        "somebody to be connected",
        async () =>
          (
            await world.cluster.query(
              "SELECT FROM pg_stat_activity WHERE datname = 'prepared' AND query LIKE '%pg_sleep%'",
            )
          ).length > 0,
      );
    const result = await rescue("soar", ["--no-owner", "--json"], { PGUSER: role });
    if (client !== undefined)
      expect(String(await client)).toMatch(/terminating connection due to administrator command/);
    expect(result, result.stderr).toMatchObject({ status: 0 });
    expect((JSON.parse(result.stdout) as Record<string, unknown>)["keptAs"]).toBeUndefined();
    expect(await names()).toEqual([{ name: "prepared" }]);
    expect(await tables()).toEqual([{ name: "first" }, { name: "last" }]);
    expect(await world.cluster.query("SELECT count(*)::int AS rows FROM public.first", [], "prepared")).toEqual([
      { rows: 100 },
    ]);
    expect(await properties()).toEqual(before);
  },
);

test("kill -9 in the middle of the load leaves it empty, and the next rescue fills it", async () => {
  await prepare("postgres");
  const program = world.start("soar-restore", [
    "database",
    "--database",
    "slow",
    "--target-time",
    instant,
    "--target-database",
    "prepared",
    "--temp-dir",
    tempDir,
  ]);
  await waitUntil(
    "the load to be under way",
    async () =>
      (
        await world.cluster.query(
          "SELECT FROM pg_stat_activity WHERE datname LIKE 'prepared%' AND query LIKE 'CREATE INDEX%'",
        )
      ).length > 0,
  );
  program.kill("SIGKILL");
  await program.result;
  expect(await tables()).toEqual([]);
  const again = await rescue("slow", ["--no-owner"]);
  expect(again, again.stderr).toMatchObject({ status: 0 });
  expect(await names()).toEqual([{ name: "prepared" }]);
  expect(await tables()).toEqual([{ name: "t" }]);
});

test("what somebody made in it meanwhile is kept", async () => {
  await prepare("postgres");
  const running = rescue("slow", ["--no-owner", "--json"]);
  await waitUntil(
    "the load to be under way",
    async () =>
      (
        await world.cluster.query(
          "SELECT FROM pg_stat_activity WHERE datname LIKE 'prepared%' AND query LIKE 'CREATE INDEX%'",
        )
      ).length > 0,
  );
  await world.cluster.query("CREATE TABLE public.mine AS SELECT 7 AS a", [], "prepared");
  const result = await running;
  expect(result, result.stderr).toMatchObject({ status: 0 });
  const { keptAs } = JSON.parse(result.stdout) as { keptAs: string };
  expect(await names()).toEqual([
    { name: "prepared" },
    { name: keptAs.toLowerCase() === keptAs ? keptAs : expect.stringMatching(new RegExp(keptAs, "i")) },
  ]);
  expect(await world.cluster.query("SELECT a FROM public.mine", [], keptAs)).toEqual([{ a: 7 }]);
  await world.cluster.query(`DROP DATABASE "${keptAs}"`);
});
