import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectSql } from "@soar/pg-tools/replication";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownedDirectory } from "./restore-world.ts";
import { createTablespaceWorld, elsewhere, succeed, type TablespaceWorld } from "./tablespace-world.ts";

const ROOT_BIN = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
const LABEL_OBJECT = /\/base\/[^/]+\/backup\.tar\.gz$/;
let world: TablespaceWorld;
beforeAll(async () => {
  world = await createTablespaceWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const walKeys = () => [...world.s3.objects().keys()].filter((key) => key.includes("/wal/"));

describe("a copy beside the source", () => {
  test(
    "holds every row, in its own tablespace, and cannot archive into the source's repository, also after a restart",
    { timeout: 120_000 },
    async () => {
      // Made by hand, with a mode that PostgreSQL refuses.
      const dataDir = ownedDirectory(world, "copy", 0o755);
      const port = await freePort();
      const { stdout } = await succeed(
        world,
        "soar-restore",
        "--latest",
        "--data-dir",
        dataDir,
        "--port",
        String(port),
        "--json",
        ...elsewhere(world, "copy"),
      );
      expect(JSON.parse(stdout)).toMatchObject({ version: 1, outcome: "promoted", timeline: 2, fenced: true, dataDir });
      const before = walKeys();
      await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
      await copy.stop();
      await copy.start();
      expect(
        await copy.query(
          "SELECT (SELECT count(*)::int FROM rows) AS rows, (SELECT count(*)::int FROM far) AS far, current_setting('archive_mode') AS archive_mode, current_setting('archive_command') AS command, current_setting('hot_standby') AS hot_standby",
        ),
      ).toEqual([{ rows: 500, far: 1000, archive_mode: "off", command: "(disabled)", hot_standby: "on" }]);
      expect(
        await copy.query("SELECT pg_tablespace_location(oid) AS location FROM pg_tablespace WHERE spcname = 'fast'"),
      ).toEqual([{ location: join(world.directory, "copy-fast") }]);
      await copy.query("CREATE TABLE takes_writes AS SELECT 1 AS n");
      // Somebody switches archiving on again, and tries by hand.
      await copy.query(`ALTER SYSTEM SET archive_mode = 'on'`);
      await copy.query(
        `ALTER SYSTEM SET archive_command = '${join(ROOT_BIN, "soar-wal-archive")} --env-file ${world.envFile} %p %f'`,
      );
      await copy.restart();
      await copy.query("SELECT pg_switch_wal()");
      await expect
        .poll(() => copy.log(), { timeout: 30_000 })
        .toMatch(/unable to archive from '.*': it is a copy of the cluster that the repository belongs to/);
      const byHand = await world.run(
        "soar-wal-archive",
        join(dataDir, "pg_wal", "00000002.history"),
        "00000002.history",
      );
      expect(byHand).toMatchObject({
        status: 61,
        stderr: expect.stringContaining(`soar-restore adopt --data-dir '${dataDir}'`),
      });
      expect(walKeys()).toEqual(before);
      await copy.stop();
      // A finished restore holds data: nobody is told to remove it.
      const again = await world.run("soar-restore", "--latest", "--data-dir", dataDir, ...elsewhere(world, "again"));
      expect(again.status, again.stderr).toBe(94);
      expect(again.stderr).toMatch(/it holds a cluster with system identifier \d+/);
      expect(again.stderr).not.toMatch(/rm -r/);
    },
  );

  test(
    "has its WAL in a directory of its own, if one is named, also when it was interrupted before",
    { timeout: 120_000 },
    async () => {
      const [dataDir, walDir] = [ownedDirectory(world, "linked"), join(world.directory, "linked-wal")];
      const planned = [
        "--latest",
        "--data-dir",
        dataDir,
        "--wal-dir",
        walDir,
        "--tablespace-map",
        `${world.tablespace}=${join(world.directory, "linked-fast")}`,
      ];
      const args = [...planned, "--port", String(await freePort()), "--yes"];
      for (const [place, message] of [
        [join(dataDir, "wal"), "lie in each other"],
        [world.cluster.dataDir, "it is not empty"],
        [join(world.directory, "no", "wal"), "its parent directory does not exist"],
      ] as const) {
        const refused = await world.run("soar-restore", ...args.map((word) => (word === walDir ? place : word)));
        expect(refused, refused.stderr).toMatchObject({
          status: expect.any(Number),
          stdout: "",
          stderr: expect.stringContaining(message),
        });
        expect(refused.status).toBeGreaterThan(0);
      }
      world.s3.inject({
        operation: "GetObject",
        key: LABEL_OBJECT,
        fault: { type: "error", status: 403, code: "AccessDenied" },
      });
      expect(await world.run("soar-restore", ...args)).toMatchObject({ status: 32 });
      const words = await succeed(world, "soar-restore", "plan", ...planned);
      expect(words.stdout).toMatch(new RegExp(`^WAL directory: +${walDir}, to which pg_wal is a link`, "m"));
      await succeed(world, "soar-restore", ...args);
      expect(readlinkSync(join(dataDir, "pg_wal"))).toBe(walDir);
      expect([statSync(walDir).mode & 0o777, statSync(walDir).uid]).toEqual([0o700, statSync(dataDir).uid]);
      await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
      await copy.stop();
      await copy.start();
      expect(await copy.query("SELECT count(*)::int AS rows FROM public.rows")).toEqual([{ rows: 500 }]);
      expect(readdirSync(walDir).filter((name) => /^[0-9A-F]{24}$/.test(name)).length).toBeGreaterThan(0);
      await copy.stop();
    },
  );

  test(
    "that shuts down or pauses at its target is fenced too, before anybody starts it, and is opened by the same command",
    { timeout: 120_000 },
    async () => {
      const dataDir = join(world.directory, "down");
      const port = await freePort();
      const restoreWith = async (action: string): Promise<unknown> =>
        JSON.parse(
          (
            await succeed(
              world,
              "soar-restore",
              "--immediate",
              "--target-action",
              action,
              "--data-dir",
              dataDir,
              "--port",
              String(port),
              "--json",
              ...elsewhere(world, "down"),
            )
          ).stdout,
        );
      expect(await restoreWith("shutdown")).toMatchObject({ outcome: "shut-down", fenced: true });
      expect(readFileSync(join(dataDir, "postgresql.auto.conf"), "utf8")).toMatch(/^archive_mode = 'off'$/m);
      expect(existsSync(join(dataDir, "recovery.signal"))).toBe(true);
      const seen = { outcome: "paused", paused: { port, user: "postgres", isInRecovery: true, pauseState: "paused" } };
      const paused = await restoreWith("pause");
      expect(paused).toMatchObject(seen);
      // Whoever looks again reads since when nothing is written there.
      expect(await restoreWith("pause")).toMatchObject({ ...seen, paused: (paused as { paused: unknown }).paused });
      await using sql = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
      expect(
        await sql.query("SELECT count(*)::int AS rows, pg_is_in_recovery() AS recovering FROM public.rows"),
      ).toEqual([{ rows: 0, recovering: true }]);
      await sql.query("SELECT pg_wal_replay_resume()");
      expect(await restoreWith("promote")).toMatchObject({ outcome: "promoted", fenced: true });
      expect([existsSync(join(dataDir, "recovery.signal")), existsSync(join(dataDir, "soar-restore"))]).toEqual([
        false,
        false,
      ]);
      expect(readFileSync(join(dataDir, "postgresql.auto.conf"), "utf8")).not.toContain("recovery_target");
      await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
      await copy.stop();
    },
  );

  test(
    "lets people in at a target behind which the source had been given larger limits",
    { timeout: 120_000 },
    async () => {
      const dataDir = join(world.directory, "raised");
      const port = await freePort();
      const { stdout } = await succeed(
        world,
        "soar-restore",
        "--target-name",
        "raised",
        "--target-action",
        "pause",
        "--data-dir",
        dataDir,
        "--port",
        String(port),
        "--json",
        ...elsewhere(world, "raised"),
      );
      expect(JSON.parse(stdout)).toMatchObject({ outcome: "paused" });
      await using sql = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
      expect(
        await sql.query(
          "SELECT count(*)::int AS rows, current_setting('max_connections')::int AS limit, pg_get_wal_replay_pause_state() AS state FROM public.rows",
        ),
      ).toEqual([{ rows: 500, limit: 40, state: "paused" }]);
      await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
      await copy.stop();
    },
  );

  test("is refused where the tablespace's old place is in use", async () => {
    const dataDir = join(world.directory, "clash");
    const outcome = await world.run("soar-restore", "--latest", "--data-dir", dataDir, "--yes");
    expect(outcome).toMatchObject({
      status: 94,
      stderr: expect.stringContaining(`--tablespace-map '${world.tablespace}=/new/directory'`),
    });
    expect(existsSync(dataDir)).toBe(false);
  });
});

test("a copy that is adopted on purpose archives what it could not before", { timeout: 120_000 }, async () => {
  const dataDir = join(world.directory, "copy");
  expect(await world.run("soar-restore", "adopt", "--data-dir", dataDir)).toMatchObject({
    status: 3,
    stderr: expect.stringContaining("that cluster must not run any more"),
  });
  expect(await world.run("soar-restore", "adopt", "--data-dir", dataDir, "--yes")).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("soar-base-backup"),
  });
  await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir });
  await expect.poll(() => walKeys().some((key) => key.endsWith("/00000002.history")), { timeout: 60_000 }).toBe(true);
  expect(await copy.query("SHOW archive_mode")).toEqual([{ archive_mode: "on" }]);
  expect(await world.run("soar-restore", "adopt", "--data-dir", dataDir, "--yes")).toMatchObject({
    status: 64,
    stderr: expect.stringContaining("it is no copy"),
  });
  await copy.stop();
});
