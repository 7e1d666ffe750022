// @module-tag needs-postgres-clients
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { adoptTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { connectSql } from "@soar/pg-tools/replication";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** The only superuser that the newest backup knows was renamed and may not log in since; another one was made. */
let world: SoarWorld;
let settings: Record<string, string>;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_dump", "pg_restore", "pg_amcheck"),
    initdbArgs: ["--wal-segsize=1"],
    databases: ["soar"],
  });
  const { cluster, directory } = world;
  settings = { BACKUP_TEMP_DIR: join(directory, "temp"), PGUSER: "postgres" };
  mkdirSync(settings["BACKUP_TEMP_DIR"] ?? "");
  await cluster.query("CREATE TABLE devices AS SELECT n AS id FROM generate_series(1, 100) n", [], "soar");
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(cluster);
  await cluster.query("CREATE ROLE svc SUPERUSER LOGIN; ALTER ROLE postgres NOLOGIN");
  for (const statement of ["ALTER ROLE postgres RENAME TO boss", "ALTER DATABASE soar ALLOW_CONNECTIONS false"])
    await asService(statement);
  await archiveAll({
    ...cluster,
    query: async <T>(sql: string, values: readonly unknown[] = []) => (await asService(sql, values.map(String))) as T[],
  });
});
afterAll(() => world[Symbol.asyncDispose]());

async function asService(sql: string, values: readonly string[] = []): Promise<readonly Record<string, unknown>[]> {
  const { connection } = world.cluster;
  await using session = await connectSql({ ...connection, user: "svc", database: "postgres" }, { writes: true });
  return await session.query(sql, values);
}

test("the drill passes, and reads also the database that lets nobody in", async () => {
  const result = await world.run("soar-backup-verify", ["drill", "--json"], { settings });
  expect(result, `${result.stderr}\n${result.stdout}`).toMatchObject({ status: 0 });
  const { checks } = JSON.parse(result.stdout) as { checks: { kind: string; detail: string }[] };
  expect(checks.find(({ kind }) => kind === "amcheck")?.detail).toContain("of 3 databases is sound");
});

test("a table comes back from its own files", async () => {
  const file = join(world.directory, "devices.sql");
  const args = ["table", "devices", "--database", "soar", "--output", file, "--json"];
  const result = await world.run("soar-restore", args, { settings });
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject({ scope: "relations" });
  expect(readFileSync(file, "utf8").match(/^\d+$/gm)).toHaveLength(100);
});

test("a copy is restored, and says who looks inside and which database was not looked at", async () => {
  const copy = async (user: string): Promise<string> => {
    const dataDir = join(world.directory, `copy-${user}`);
    const args = ["--latest", "--data-dir", dataDir, "--port", String(await freePort()), "--yes"];
    const result = await world.run("soar-restore", args, { settings: { ...settings, PGUSER: user } });
    expect(result, result.stderr).toMatchObject({ status: 0 });
    await using server = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
    await server.stop();
    return result.stdout;
  };
  expect(await copy("postgres")).toMatch(/nobody could look inside: .*PGUSER names another one/);
  expect(await copy("svc")).toMatch(/checked: +2 databases can be entered\n.*'soar' takes no connections/);
});
