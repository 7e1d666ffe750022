import { rm } from "node:fs/promises";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/test-servers";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

test("what was committed a moment before the machine was lost comes back, although its segment was never finished", { timeout: 120_000 }, async () => {
  await using world = await createSoarWorld({ installation: requireInstallation("pg_ctl") });
  const { cluster } = world;
  await cluster.query("CREATE TABLE t AS SELECT 0 AS a");
  const backup = await world.run("soar-base-backup", []);
  expect(backup, backup.stderr).toMatchObject({ status: 0 });
  await archiveAll(cluster);

  const daemon = world.start("soar-wal-archive", ["daemon", "--data-dir", cluster.dataDir, "--spool", join(world.directory, "spool"), "--tail-interval", "200ms"], { asServerUser: true });
  for (let a = 1; a <= 20; a += 1) await cluster.query("INSERT INTO t VALUES ($1)", [a]);
  const [{ lsn } = { lsn: "" }] = await cluster.query<{ lsn: string }>("SELECT pg_current_wal_insert_lsn()::text AS lsn");
  await expect.poll(() => shippedBytes(world), { timeout: 30_000 }).toBeGreaterThanOrEqual(offsetInSegment(lsn));
  await cluster.kill();
  await rm(cluster.dataDir, { recursive: true });
  daemon.kill("SIGKILL");
  await daemon.result;

  const restored = await world.run("soar-restore", ["--latest", "--yes", "--json"]);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  expect(await cluster.query("SELECT count(*)::int AS rows, max(a) AS newest FROM t")).toEqual([{ rows: 21, newest: 20 }]);
});

/** How far the newest unfinished segment was shipped, in bytes of the segment. */
function shippedBytes(world: SoarWorld): number {
  const ends = [...world.s3.objects().keys()].flatMap((key) => (key.includes("/tail/") ? [Number.parseInt(key.slice(-12, -4), 16)] : []));
  return Math.max(0, ...ends);
}

function offsetInSegment(lsn: string): number {
  return Number.parseInt(lsn.split("/")[1] ?? "0", 16) % (16 * 1024 * 1024);
}
