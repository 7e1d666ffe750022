import { rm } from "node:fs/promises";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { archiveCommand, createSoarWorld } from "../src/soar-world.ts";
import { startTailShipping, waitForTail } from "../src/tail.ts";

test(
  "what was committed a moment before the machine was lost comes back, although its segment was never finished",
  { timeout: 120_000 },
  async () => {
    await using world = await createSoarWorld({ installation: requireInstallation("pg_ctl") });
    const { cluster } = world;
    await cluster.query("CREATE TABLE t AS SELECT 0 AS a");
    const backup = await world.run("soar-base-backup", []);
    expect(backup, backup.stderr).toMatchObject({ status: 0 });
    await archiveAll(cluster);

    const daemon = startTailShipping(world);
    for (let a = 1; a <= 20; a += 1) await cluster.query("INSERT INTO t VALUES ($1)", [a]);
    await waitForTail(world);
    await cluster.kill();
    await rm(cluster.dataDir, { recursive: true });
    daemon.kill("SIGKILL");
    await daemon.result;

    const restored = await world.run("soar-restore", ["--latest", "--yes", "--json"]);
    expect(restored, restored.stderr).toMatchObject({ status: 0 });
    expect(await cluster.query("SELECT count(*)::int AS rows, max(a) AS newest FROM t")).toEqual([
      { rows: 21, newest: 20 },
    ]);
  },
);

test(
  "the last commit that can be restored is told of uncompressed WAL, and of the tail",
  { timeout: 120_000 },
  async () => {
    await using world = await createSoarWorld({
      installation: requireInstallation("pg_ctl"),
      settings: { track_commit_timestamp: true },
    });
    const { cluster } = world;
    await cluster.configure({ archive_command: `BACKUP_WAL_COMPRESSION=none ${archiveCommand(world.envFile)}` });
    await cluster.query("CREATE TABLE t AS SELECT 0 AS a");
    expect(await world.run("soar-base-backup", [])).toMatchObject({ status: 0 });
    const commit = async (a: number): Promise<string> => {
      await cluster.query("INSERT INTO t VALUES ($1)", [a]);
      const [row] = await cluster.query<{ at: string }>(
        "SELECT to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS at FROM t WHERE a = $1",
        [a],
      );
      return row?.at ?? "";
    };
    const newest = async (): Promise<string | undefined> => {
      const { window } = JSON.parse((await world.run("soar-base-backup", ["list", "--json"])).stdout) as {
        window: { timelines: { ranges: { to?: string }[] }[] };
      };
      return window.timelines[0]?.ranges.at(-1)?.to;
    };
    const archived = await commit(1);
    await archiveAll(cluster);
    expect([...world.s3.objects().keys()].filter((key) => /\/wal\/.*[0-9A-F]{24}$/.test(key)).length).toBeGreaterThan(
      0,
    );
    expect(await newest()).toBe(archived);
    startTailShipping(world);
    const shipped = await commit(2);
    await waitForTail(world);
    expect(await newest()).toBe(shipped);
  },
);
