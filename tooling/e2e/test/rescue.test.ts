// @module-tag needs-postgres-clients
import { readdirSync } from "node:fs";
import {
  aviationTrafficSql,
  databaseDigest,
  differingTables,
  loadAviationData,
  requireInstallation,
  type DatabaseDigest,
} from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

// The client programs are needed; those from npm have none.
/** Found when a test asks, because the file is read where its tests are skipped, too. */
const installation = () => requireInstallation("pg_dump", "pg_restore");

/** As much again as the rest of the cluster, and nothing that compresses, so that the catalogs weigh what they do beside real data. */
const RECORDINGS = `CREATE TABLE recordings (id int PRIMARY KEY, raw bytea);
ALTER TABLE recordings ALTER raw SET STORAGE EXTERNAL;
INSERT INTO recordings SELECT n, (SELECT string_agg(sha256(convert_to(n * 10000 + k || '', 'UTF8')), ''::bytea) FROM generate_series(1, 2000) k) FROM generate_series(1, 900) n`;

describe.each([
  ["with data checksums", ["--data-checksums"]],
  ["without data checksums", []],
] as const)("one cluster, two databases, %s", (_, initdbArgs) => {
  let world: SoarWorld;
  let tempDir: string;
  let instant: string;
  let expected: DatabaseDigest;
  let storedBytes: number;

  const digestOf = (database: string) => databaseDigest((sql) => world.cluster.query(sql, [], database));
  const rescue = (args: readonly string[]): Promise<ProgramResult> =>
    world.run("soar-restore", args, { settings: { BACKUP_TEMP_DIR: tempDir, PGDATABASE: "soar" } });
  /** Bytes of backups and WAL that were read since a request. */
  const bytesRead = (prefix: string, since: number): number =>
    world.s3.requests
      .slice(since)
      .filter(({ method, key }) => method === "GET" && key.startsWith(`cluster1/${prefix}`))
      .reduce((sum, { responseBytes }) => sum + responseBytes, 0);

  beforeAll(async () => {
    world = await createSoarWorld({ installation: installation(), initdbArgs, databases: ["soar", "staging"] });
    const { cluster } = world;
    tempDir = `${world.directory}/temp`;
    for (const database of ["soar", "staging"])
      await loadAviationData((sql) => cluster.query(sql, [], database), { sizeMb: database === "soar" ? 40 : 20 });
    await cluster.query(RECORDINGS, [], "staging");
    const backup = await world.run("soar-base-backup", ["--json"]);
    storedBytes = (JSON.parse(backup.stdout) as { sizes: { stored: number } }).sizes.stored;
    await passCheckpoint(cluster);
    // What makes pages refer to others without full images: vacuum sets bits of pages that were not fetched.
    for (const database of ["soar", "staging"]) {
      await cluster.query(aviationTrafficSql({ rows: 300 }), [], database);
      await cluster.query(
        "DELETE FROM flights WHERE departure_airport = 'EDDF' AND max_altitude_ft < 6000",
        [],
        database,
      );
      await cluster.query("VACUUM flights", [], database);
      await cluster.query("VACUUM", [], database);
    }
    await cluster.query(
      "CREATE TABLE made_later (id serial PRIMARY KEY, note text); INSERT INTO made_later (note) SELECT 'note ' || n FROM generate_series(1, 100) n",
      [],
      "soar",
    );
    await cluster.query("VACUUM FULL receivers", [], "soar");
    expected = await digestOf("soar");
    instant = await databaseTime(cluster);
    await cluster.query("DELETE FROM devices; DROP TABLE made_later; TRUNCATE flights", [], "soar");
    await archiveAll(cluster);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("scenario 3: one database at an instant into a new one, while the others are written to and left alone", async () => {
    const { cluster } = world;
    const living = await digestOf("soar");
    const oids = () =>
      cluster.query(
        "SELECT datname, oid::int FROM pg_database WHERE datname IN ('soar', 'staging', 'postgres') ORDER BY 1",
      );
    const before = await oids();
    await cluster.query("CREATE DATABASE soar_restore_test");
    const stop = new AbortController();
    const written = writeUntil(world, "staging", stop.signal);
    const since = world.s3.requests.length;
    const result = await rescue([
      "--target-time",
      instant,
      "--target-database",
      "soar_restore_test",
      "--no-destructive",
      "--json",
    ]);
    stop.abort();
    expect(result, result.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(result.stdout)).toMatchObject({
      database: "soar",
      target: "soar_restore_test",
      scope: "database",
    });
    expect(differingTables(await digestOf("soar_restore_test"), expected)).toEqual([]);
    expect(await written).toBeGreaterThan(0);
    expect(differingTables(await digestOf("soar"), living)).toEqual([]);
    expect(await oids()).toEqual(before);
    // The other database is most of the cluster.
    expect(bytesRead("base", since) / storedBytes).toBeLessThan(0.35);
    expect(readdirSync(tempDir)).toEqual([]);
  });

  test("a database that is not empty is refused, and replaced on demand with the old one kept", async () => {
    const { cluster } = world;
    const refused = await rescue(["database", "--target-time", instant, "--target-database", "staging"]);
    expect(refused).toMatchObject({
      status: 98,
      stderr: expect.stringContaining("unable to restore into database 'staging': it holds"),
    });
    const old = await digestOf("soar");
    const stop = new AbortController();
    const ended = comeBackUntil(world, "soar", stop.signal);
    const result = await rescue([
      "database",
      "--target-time",
      instant,
      "--target-database",
      "soar",
      "--replace",
      "--yes",
      "--json",
    ]);
    stop.abort();
    expect(result, result.stderr).toMatchObject({ status: 0 });
    expect(await ended).toBeGreaterThan(0);
    expect(differingTables(await digestOf("soar"), expected)).toEqual([]);
    const { keptAs } = JSON.parse(result.stdout) as { keptAs: string };
    expect(differingTables(await digestOf(keptAs), old)).toEqual([]);
    await cluster.query("DROP DATABASE soar WITH (FORCE)");
    await cluster.query(`ALTER DATABASE "${keptAs}" RENAME TO soar`);
  });

  test("scenario 4: one small table from the files of it and of the catalogs, as SQL that brings it back", async () => {
    const { cluster } = world;
    const since = world.s3.requests.length;
    const file = `${world.directory}/devices_restore.sql`;
    const args = ["table", "public.devices", "--target-time", instant, "--data-only", "--output", file, "--json"];
    const result = await rescue(args);
    expect(result, result.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(result.stdout)).toMatchObject({ scope: "relations" });
    // The catalogs of two databases are a tenth of this small cluster; of the owner's they are nothing.
    expect(bytesRead("base", since) / storedBytes).toBeLessThan(0.1);
    expect(await rescue(args)).toMatchObject({ status: 98, stderr: expect.stringContaining("it is there already") });
    const loaded = await cluster.runProgram("psql", ["-d", "soar", "-v", "ON_ERROR_STOP=1", "-f", file]);
    expect(loaded.stderr).toBe("");
    expect((await digestOf("soar")).tables["public.devices"]).toEqual(expected.tables["public.devices"]);
    expect(readdirSync(tempDir)).toEqual([]);
  });

  test("tables with partitions, indexes and sequences are loaded in another schema: one that was made after the backup, one that was rewritten since", async () => {
    const result = await rescue([
      "table",
      "aprs_messages",
      "receivers",
      "made_later",
      "--target-time",
      instant,
      "--into",
      "staging",
      "--as",
      "rescued",
      "--json",
    ]);
    expect(result, result.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(result.stdout)).toMatchObject({ scope: "relations" });
    const { tables } = await digestOf("staging");
    const rescued = Object.entries(tables).filter(([name]) => name.startsWith("rescued."));
    expect(rescued.map(([name]) => name).sort()).toEqual(
      Object.keys(expected.tables)
        .filter((name) => /aprs_messages|receivers|made_later/.test(name))
        .map((name) => name.replace("public", "rescued"))
        .sort(),
    );
    for (const [name, digest] of rescued)
      expect(digest, name).toEqual(expected.tables[name.replace("rescued", "public")]);
    const [later] = await world.cluster.query(
      "SELECT (SELECT count(*)::int FROM pg_index i JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = 'rescued'::regnamespace) AS indexes, nextval('rescued.made_later_id_seq')::int AS next",
      [],
      "staging",
    );
    expect(later).toMatchObject({ indexes: expect.any(Number), next: expect.any(Number) });
    expect(Number(later?.["next"])).toBeGreaterThan(100);
    expect(Number(later?.["indexes"])).toBeGreaterThan(10);
    const again = await rescue([
      "table",
      "receivers",
      "--target-time",
      instant,
      "--into",
      "staging",
      "--as",
      "rescued",
    ]);
    expect(again).toMatchObject({
      status: 98,
      stderr: expect.stringContaining(
        "unable to load table 'rescued.receivers' into database 'staging': it is there already",
      ),
    });
  });
});

/** Goes on with the daily work in a database; resolves to the number of transactions. */
async function writeUntil({ cluster }: SoarWorld, database: string, signal: AbortSignal): Promise<number> {
  let transactions = 0;
  for (; !signal.aborted; transactions += 1) await cluster.query(aviationTrafficSql({ rows: 20 }), [], database);
  return transactions;
}

/** Connects to a database whenever it can, as a pool of connections does; resolves to how often the server ended that. */
async function comeBackUntil({ cluster }: SoarWorld, database: string, signal: AbortSignal): Promise<number> {
  let ended = 0;
  // The first one is there whenever the database gets its new name: short ones in a row leave moments in which nobody is.
  const query = (): string => `SELECT pg_sleep(${ended === 0 ? 60 : 0.2})`;
  while (!signal.aborted) await cluster.query(query(), [], database).catch(() => (ended += 1));
  return ended;
}
