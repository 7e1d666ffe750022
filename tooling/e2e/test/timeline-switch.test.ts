// @module-tag needs-postgres-clients
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { adoptTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import type { StartedProgram } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** Found when a test asks, because the file is read where its tests are skipped, too. */
const installation = () => requireInstallation("pg_ctl", "pg_basebackup");

function startDaemon(world: SoarWorld, cluster: TestCluster, spool: string): StartedProgram {
  return world.start(
    "soar-wal-archive",
    [
      "daemon",
      "--data-dir",
      cluster.dataDir,
      "--port",
      String(cluster.port),
      "--spool",
      join(world.directory, spool),
      "--tail-interval",
      "200ms",
    ],
    { asServerUser: true },
  );
}

async function startStandby({ cluster }: SoarWorld): Promise<TestCluster> {
  const dataDir = cluster.tablespaceDir("standby");
  await cluster.runProgram("pg_basebackup", ["-D", dataDir, "-R", "-X", "stream", "-c", "fast"]);
  return adoptTestCluster({ installation: installation(), dataDir });
}

async function insert(cluster: TestCluster, first: number): Promise<void> {
  for (let a = first; a < first + 20; a += 1) {
    await cluster.query("INSERT INTO t VALUES ($1)", [a]);
    if (a === first + 10) await cluster.query("SELECT pg_switch_wal()");
  }
}

/** The last row is in the bucket: in a tail of the server's timeline, far enough. */
async function shipped(world: SoarWorld, cluster: TestCluster, timeline: string): Promise<void> {
  const [row] = await cluster.query<{ name: string; end: number }>(
    "SELECT substr(pg_walfile_name(l), 9) AS name, (pg_walfile_name_offset(l)).file_offset AS end FROM pg_current_wal_flush_lsn() l",
  );
  const prefix = `cluster1/tail/${timeline}${row?.name}/`;
  const end = (): number =>
    Math.max(
      0,
      ...[...world.s3.objects().keys()].flatMap((key) =>
        key.startsWith(prefix) ? [Number.parseInt(key.slice(-12, -4), 16)] : [],
      ),
    );
  await expect.poll(end, { timeout: 30_000 }).toBeGreaterThanOrEqual(row?.end ?? Infinity);
}

async function restoreAndRead(world: SoarWorld, args: readonly string[]): Promise<unknown> {
  const restored = await world.run("soar-restore", [...args, "--yes", "--json"]);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  const [row] = await world.cluster.query<{ rows: number[] }>("SELECT array_agg(a ORDER BY a) AS rows FROM t");
  await world.cluster.stop("immediate");
  await rm(world.cluster.dataDir, { recursive: true });
  return row?.rows;
}

test(
  "a standby is promoted while the old primary goes on: both archive and ship into one prefix, and each timeline comes back whole",
  { timeout: 180_000 },
  async () => {
    await using world = await createSoarWorld({ installation: installation() });
    const old = world.cluster;
    await old.query("CREATE TABLE t AS SELECT 0 AS a");
    const backup = await world.run("soar-base-backup", []);
    expect(backup, backup.stderr).toMatchObject({ status: 0 });
    await archiveAll(old);
    await using young = await startStandby(world);
    const daemons = [startDaemon(world, old, "spool-old"), startDaemon(world, young, "spool-young")];

    await old.query("INSERT INTO t VALUES (1)");
    await expect.poll(() => young.query("SELECT a FROM t WHERE a = 1"), { timeout: 20_000 }).toEqual([{ a: 1 }]);
    await young.query("SELECT pg_promote()");
    await Promise.all([insert(young, 100), insert(old, 200)]);
    await shipped(world, young, "00000002");
    await shipped(world, old, "00000001");
    // Also what lies before the tails: segments of both timelines, the history file.
    await expect
      .poll(
        () =>
          [...world.s3.objects().keys()].filter((key) => /wal\/00000002(?:\.history|[0-9A-F]{16}\.zst)$/.test(key))
            .length,
        { timeout: 30_000 },
      )
      .toBeGreaterThanOrEqual(2);
    for (const [cluster, timeline] of [
      [young, "00000002"],
      [old, "00000001"],
    ] as const) {
      const [before] = await cluster.query<{ name: string }>(
        "SELECT substr(pg_walfile_name(pg_current_wal_flush_lsn() - setting::numeric), 9) AS name FROM pg_settings WHERE name = 'wal_segment_size'",
      );
      const key = `cluster1/wal/${timeline}${before?.name}.zst`;
      await expect.poll(() => [...world.s3.objects().keys()], { timeout: 30_000 }).toContain(key);
    }
    for (const cluster of [young, old]) {
      await cluster.kill();
      await rm(cluster.dataDir, { recursive: true });
    }
    for (const daemon of daemons) daemon.kill("SIGKILL");
    const logs = await Promise.all(daemons.map(({ result }) => result));
    for (const { stderr } of logs) expect(stderr).not.toMatch(/not shipped any more|rolled back|WAL_CONFLICT/);

    const range = (first: number): number[] => Array.from({ length: 20 }, (_, n) => first + n);
    expect(await restoreAndRead(world, ["--latest"])).toEqual([0, 1, ...range(100)]);
    expect(await restoreAndRead(world, ["--latest", "--target-timeline", "1"])).toEqual([0, 1, ...range(200)]);
  },
);
