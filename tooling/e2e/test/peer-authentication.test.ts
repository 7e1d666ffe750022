// @module-tag needs-postgres-clients
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { requires, runAsServerUser, serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

let world: SoarWorld;
beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_dump", "pg_restore", "psql"),
    initdbArgs: ["--wal-segsize=1"],
    databases: ["soar"],
  });
  const { cluster } = world;
  await cluster.query("CREATE TABLE rows AS SELECT generate_series(1, 1000) AS n", [], "soar");
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(cluster);
  // As Debian has it: the user of the operating system counts, and nobody comes in by TCP.
  writeFileSync(
    join(cluster.dataDir, "pg_hba.conf"),
    "local all all peer map=server\nlocal replication all peer map=server\n",
  );
  appendFileSync(join(cluster.dataDir, "pg_ident.conf"), `server ${serverUser().name} postgres\n`);
  await runAsServerUser(join(cluster.binDir, "pg_ctl"), ["-D", cluster.dataDir, "reload"]);
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

const settings = (): Record<string, string> => {
  const temp = join(world.directory, "temp");
  mkdirSync(temp, { recursive: true });
  return { PGHOST: world.cluster.socketDir, PGUSER: "postgres", BACKUP_TEMP_DIR: temp };
};

/** What the server's own user sees there. */
async function psql(database: string, sql: string): Promise<string> {
  const { cluster } = world;
  const { stdout } = await runAsServerUser(join(cluster.binDir, "psql"), [
    "-At",
    "-h",
    cluster.socketDir,
    "-p",
    String(cluster.port),
    "-U",
    "postgres",
    "-d",
    database,
    "-c",
    sql,
  ]);
  return stdout.trim();
}

describe("on a server that lets in by the user of the operating system, root", requires("root"), () => {
  test("has the doctor look at the server", { timeout: 120_000 }, async () => {
    const { stdout, stderr } = await world.run("soar-backup-verify", ["doctor", "--json", "--no-round-trip"], {
      settings: settings(),
    });
    expect(stdout + stderr).not.toContain("Peer authentication failed");
    expect(stdout).toContain("archive_mode");
  });

  test("takes a backup", { timeout: 120_000 }, async () => {
    const backup = await world.run("soar-base-backup", ["take", "--no-expire"], { settings: settings() });
    expect(backup.status, backup.stderr).toBe(0);
  });

  test("brings a database back into it, and a table", { timeout: 240_000 }, async () => {
    const database = await world.run(
      "soar-restore",
      [
        "database",
        "--database",
        "soar",
        "--target-database",
        "soar_copy",
        "--latest",
        "--owner",
        serverUser().name,
        "--yes",
      ],
      {
        settings: settings(),
      },
    );
    expect(database.status, database.stderr).toBe(0);
    expect(await psql("soar_copy", "SELECT count(*) FROM rows")).toBe("1000");
    await psql("postgres", "CREATE DATABASE empty");
    const table = await world.run(
      "soar-restore",
      ["table", "public.rows", "--database", "soar", "--into", "empty", "--owner", serverUser().name, "--latest"],
      { settings: settings() },
    );
    expect(table.status, table.stderr).toBe(0);
    expect(await psql("empty", "SELECT count(*) FROM rows")).toBe("1000");
  });
});
