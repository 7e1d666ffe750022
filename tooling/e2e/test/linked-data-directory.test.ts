import { lstatSync, readdirSync, readlinkSync, renameSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld } from "../src/soar-world.ts";

test(
  "a data directory that is a link stays one: what it leads to is put aside where it lies, and the plan says so",
  { timeout: 120_000 },
  async () => {
    await using world = await createSoarWorld({
      installation: requireInstallation("pg_ctl"),
      initdbArgs: ["--wal-segsize=1"],
    });
    const { cluster } = world;
    const [named, real] = [cluster.dataDir, join(dirname(cluster.dataDir), "disk-of-its-own")];
    await cluster.stop();
    renameSync(named, real);
    symlinkSync(real, named);
    await cluster.start();
    await cluster.query("CREATE TABLE t AS SELECT 1 AS a");
    const backup = await world.run("soar-base-backup", []);
    expect(backup, backup.stderr).toMatchObject({ status: 0 });
    await archiveAll(cluster);
    // Only this disk has it.
    await cluster.configure({ archive_command: "/bin/false" });
    await cluster.query("INSERT INTO t VALUES (2)");

    const plan = await world.run("soar-restore", ["plan", "--latest"]);
    expect(plan, plan.stderr).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(
        new RegExp(`^data directory: +${named}, a link that stays and leads to ${real} `, "m"),
      ),
    });
    expect(plan.stdout).toMatch(
      new RegExp(`what is there: +a cluster, which is kept whole as ${real}.before-restore-`),
    );
    const restored = await world.run("soar-restore", ["--latest", "--yes", "--json"]);
    expect(restored, restored.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(restored.stdout)).toMatchObject({
      inPlace: true,
      keptAs: expect.stringContaining(`${real}.before-restore-`),
    });
    expect(await cluster.query("SELECT array_agg(a ORDER BY a) AS rows FROM t")).toEqual([{ rows: [1, 2] }]);
    expect([lstatSync(named).isSymbolicLink(), readlinkSync(named)]).toEqual([true, real]);
    expect(lstatSync(real).isDirectory()).toBe(true);
    expect(readdirSync(dirname(named)).filter((name) => name.startsWith(`${basename(named)}.before`))).toEqual([]);

    const shown = await world.run("soar-restore", ["discard-old", "--data-dir", named, "--yes", "--json"]);
    expect(shown, shown.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(shown.stdout)).toMatchObject({ removed: [{ kind: "cluster" }] });
    await cluster.stop();
  },
);
