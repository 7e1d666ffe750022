import { rm } from "node:fs/promises";
import { requireInstallation } from "@soar-tooling/test-servers";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld } from "../src/soar-world.ts";
import { startTailShipping, waitForTail } from "../src/tail.ts";

test("what was committed a moment before the machine was lost comes back, although its segment was never finished", { timeout: 120_000 }, async () => {
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
  expect(await cluster.query("SELECT count(*)::int AS rows, max(a) AS newest FROM t")).toEqual([{ rows: 21, newest: 20 }]);
});
