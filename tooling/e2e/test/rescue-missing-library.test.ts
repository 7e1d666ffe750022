// @module-tag needs-postgres-clients
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** A source with a column whose type comes from a library that the host of the restore does not have. */
let world: SoarWorld;
let tempDir: string;
let library: string;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_dump", "pg_restore"), databases: ["soar"] });
  const { cluster, directory } = world;
  [tempDir, library] = [join(directory, "temp"), join(directory, "units.so")];
  mkdirSync(tempDir);
  const [row] = await cluster.query<{ path: string }>("SELECT setting AS path FROM pg_config WHERE name = 'PKGLIBDIR'");
  // One of PostgreSQL's own, under another name: what matters is that it is gone later.
  copyFileSync(join(row?.path ?? "", "hstore.so"), library);
  chmodSync(library, 0o755);
  await cluster.query(
    `CREATE TYPE units;
     CREATE FUNCTION units_in(cstring) RETURNS units AS '${library}', 'hstore_in' LANGUAGE C STRICT IMMUTABLE;
     CREATE FUNCTION units_out(units) RETURNS cstring AS '${library}', 'hstore_out' LANGUAGE C STRICT IMMUTABLE;
     CREATE TYPE units (INPUT = units_in, OUTPUT = units_out, STORAGE = extended);
     CREATE TABLE measured (id int, value units);
     INSERT INTO measured VALUES (1, 'a=>1');
     CREATE TABLE plain AS SELECT 42 AS answer;`,
    [],
    "soar",
  );
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(cluster);
  rmSync(library);
});
afterAll(() => world[Symbol.asyncDispose]());

const rescue = (...args: readonly string[]): Promise<ProgramResult> =>
  world.run("soar-restore", [...args, "--database", "soar", "--latest", "--temp-dir", tempDir]);

test.each([
  ["a table with a column of such a type", ["table", "measured", "--output"]],
  ["the whole database", ["database", "--target-database"]],
])("%s cannot be dumped: the library is named, and what to do; nothing is left", async (_, args) => {
  const target = args[0] === "table" ? join(world.directory, "measured.sql") : "rescued";
  const result = await rescue(...args, target);
  expect(result).toMatchObject({
    status: 24,
    stderr: expect.stringContaining(`could not access file "${library}"`) as string,
  });
  expect(result.stderr).toMatch(/hint: .*install that extension's package on this host and run the command again/);
  expect([existsSync(target), readdirSync(tempDir)]).toEqual([false, []]);
  expect(await world.cluster.query("SELECT FROM pg_database WHERE datname LIKE 'rescued%'")).toEqual([]);
});

test("other tables of the same database are rescued all the same", async () => {
  const file = join(world.directory, "plain.sql");
  const result = await rescue("table", "plain", "--output", file);
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(readFileSync(file, "utf8")).toMatch(/^42$/m);
});
