import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { mountUponItself, requires } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld } from "../src/soar-world.ts";

test.each(["", "pg_wal"])(
  "a data directory with a file system mounted at it (%j) is not put aside: refused while the server runs, and overwritten on demand",
  { ...requires("mount"), timeout: 120_000 },
  async (place) => {
    await using world = await createSoarWorld({
      installation: requireInstallation("pg_ctl"),
      initdbArgs: ["--wal-segsize=1"],
    });
    const { cluster } = world;
    await cluster.query("CREATE TABLE t AS SELECT 1 AS a");
    const backup = await world.run("soar-base-backup", []);
    expect(backup, backup.stderr).toMatchObject({ status: 0 });
    await archiveAll(cluster);
    await cluster.stop();
    using _mounted = mountUponItself(join(cluster.dataDir, place));
    await cluster.start();
    // Only this disk has it.
    await cluster.configure({ archive_command: "/bin/false" });
    await cluster.query("INSERT INTO t VALUES (2)");
    const [pid, beside] = [
      cluster.pid(),
      () => readdirSync(dirname(cluster.dataDir)).filter((name) => name.startsWith(`${basename(cluster.dataDir)}.`)),
    ];

    const refused = await world.run("soar-restore", ["--latest", "--yes"]);
    expect(refused).toMatchObject({
      status: 94,
      stderr: expect.stringMatching(
        /a file system is mounted .*\nhint: .*--data-dir.*--discard-old-data.*Nothing was changed/,
      ) as string,
    });
    expect(cluster.pid()).toBe(pid);
    expect(beside()).toEqual([]);
    const restored = await world.run("soar-restore", ["--latest", "--discard-old-data", "--yes", "--json"]);
    expect(restored, restored.stderr).toMatchObject({ status: 0 });
    expect(await cluster.query("SELECT array_agg(a ORDER BY a) AS rows FROM t")).toEqual([{ rows: [1, 2] }]);
    expect(beside().every((name) => name.includes(".wal-before-restore-") || name.endsWith(".log"))).toBe(true);
    await cluster.stop();
  },
);
