// @module-tag needs-postgres-clients
import { join } from "node:path";
import { adoptTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

/** A primary that archives, and a standby that backups are taken from. */
let world: SoarWorld;
let standby: TestCluster;

beforeAll(async () => {
  const installation = requireInstallation("pg_ctl", "pg_basebackup");
  world = await createSoarWorld({ installation, initdbArgs: ["--wal-segsize=1"] });
  await world.cluster.query("CREATE TABLE t AS SELECT 0 AS a");
  const dataDir = world.cluster.tablespaceDir("standby");
  await world.cluster.runProgram("pg_basebackup", ["-D", dataDir, "-R", "-X", "stream", "-c", "fast"]);
  standby = await adoptTestCluster({ installation, dataDir });
});
afterAll(async () => {
  await standby.remove();
  await world[Symbol.asyncDispose]();
});

async function caughtUp(): Promise<void> {
  const [row] = await world.cluster.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
  await waitUntil("the standby to have replayed everything", async () => {
    const [state] = await standby.query<{ there: boolean }>("SELECT pg_last_wal_replay_lsn() >= $1 AS there", [
      row?.lsn,
    ]);
    return state?.there === true;
  });
}

interface Taken {
  readonly label: string;
  readonly stopLsn: string;
  readonly startLsn: string;
  readonly checkpointLsn: string;
}

/** Archives the end of what the standby has when the run waits for it. */
async function takeFromStandby(whileRunning: () => Promise<void>): Promise<Taken> {
  const running = world.run("soar-base-backup", ["--json"], {
    settings: { PGHOST: standby.connection.host, PGPORT: String(standby.connection.port) },
  });
  await whileRunning();
  const taken = await running;
  expect(taken, taken.stderr).toMatchObject({ status: 0 });
  return JSON.parse(taken.stdout) as Taken;
}

async function restoreImmediately(
  { label }: Taken,
  directory: string,
  ...args: readonly string[]
): Promise<ProgramResult> {
  return world.run("soar-restore", [
    "--immediate",
    "--base-backup",
    label,
    "--data-dir",
    join(world.directory, directory),
    "--port",
    String(await freePort()),
    "--yes",
    "--json",
    ...args,
  ]);
}

test(
  "immediate reaches the end of a standby's backup where no record follows it, and can pause there",
  { timeout: 120_000 },
  async () => {
    const { cluster } = world;
    await cluster.query("CHECKPOINT");
    await cluster.query("INSERT INTO t SELECT generate_series(1, 100)");
    await archiveAll(cluster);
    await caughtUp();
    // Writes the pages of the last commit, so that the backup is consistent with the end of the segment only.
    await standby.query("CHECKPOINT");
    const taken = await takeFromStandby(() => Promise.resolve());
    expect(taken.stopLsn).toMatch(/00000$/);

    const planned = await world.run("soar-restore", [
      "plan",
      "--immediate",
      "--data-dir",
      join(world.directory, "planned"),
      "--json",
    ]);
    expect(JSON.parse(planned.stdout)).toMatchObject({ backup: { label: taken.label }, stopLsn: taken.stopLsn });
    const paused = await restoreImmediately(taken, "paused", "--target-action", "pause");
    expect(paused, paused.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(paused.stdout)).toMatchObject({ outcome: "paused" });
    await using copy = await adoptTestCluster({
      installation: cluster.installation,
      dataDir: join(world.directory, "paused"),
      start: false,
    });
    await copy.stop();
    const promoted = await restoreImmediately(taken, "promoted");
    expect(promoted, promoted.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(promoted.stdout)).toMatchObject({
      outcome: "promoted",
      plannedLsn: taken.stopLsn,
      reachedLsn: taken.stopLsn,
    });
    await using other = await adoptTestCluster({
      installation: cluster.installation,
      dataDir: join(world.directory, "promoted"),
      start: false,
    });
    await other.stop();
    await other.start();
    expect(await other.query("SELECT count(*)::int AS rows FROM t")).toEqual([{ rows: 101 }]);
    await other.stop();
  },
);

test(
  "immediate and an LSN end where planned in a standby's backup that begins with a shutdown checkpoint",
  { timeout: 120_000 },
  async () => {
    const { cluster } = world;
    await cluster.stop();
    await cluster.start();
    await waitUntil(
      "the standby to follow again",
      async () => (await cluster.query("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")).length === 1,
    );
    await caughtUp();
    await standby.query("CHECKPOINT");
    const taken = await takeFromStandby(() => archiveAll(cluster));
    expect(taken.startLsn).toBe(taken.checkpointLsn);
    for (const [directory, target] of [
      ["at-once", "--immediate"],
      ["by-lsn", `--target-lsn=${taken.startLsn}`],
    ] as const) {
      const restored = await world.run("soar-restore", [
        target,
        "--base-backup",
        taken.label,
        "--data-dir",
        join(world.directory, directory),
        "--port",
        String(await freePort()),
        "--yes",
        "--json",
      ]);
      expect(restored, restored.stderr).toMatchObject({ status: 0 });
      const report = JSON.parse(restored.stdout) as Record<string, unknown>;
      expect(report["reachedLsn"]).toBe(report["plannedLsn"]);
      await using copy = await adoptTestCluster({
        installation: cluster.installation,
        dataDir: join(world.directory, directory),
        start: false,
      });
      await copy.stop();
    }
  },
);
