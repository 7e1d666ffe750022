import { chownSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { adoptTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, serverUser } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { createSoarWorld, ROOT, runProgram } from "../src/soar-world.ts";

interface Report {
  /** Paths under which a server would start that are not on disk. */
  readonly lost: readonly string[];
  readonly synced: number;
}

test(
  "everything is on disk before the directory can be started: files, names, tablespaces; blocks of zeros take no room",
  { timeout: 120_000 },
  async () => {
    await using world = await createSoarWorld({ installation: requireInstallation("pg_ctl") });
    const { cluster, directory } = world;
    const tablespace = cluster.tablespaceDir("fast");
    await cluster.query(`CREATE TABLESPACE fast LOCATION '${tablespace}'`);
    await cluster.query("CREATE TABLE t TABLESPACE fast AS SELECT generate_series(1, 1000) AS a");
    // Pages that were never used, as a bulk load or a VACUUM leaves them, after one that holds a row.
    await cluster.query("CREATE TABLE sparse AS SELECT 1 AS a");
    const [row] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('sparse') AS path");
    await cluster.query("CHECKPOINT");
    await cluster.stop();
    const [page, pages] = [readFileSync(join(cluster.dataDir, row?.path ?? "")), 2048];
    await runProgram(["truncate", "-s", String(page.length * pages), join(cluster.dataDir, row?.path ?? "")], {
      settings: {},
      directory,
    });
    await cluster.start();
    const backup = await world.run("soar-base-backup", []);
    expect(backup, backup.stderr).toMatchObject({ status: 0 });

    // An empty directory of the server's user, as a package makes it; the restore makes what is in it.
    const [dataDir, copied, report] = [
      join(directory, "copy"),
      join(directory, "copy-fast"),
      join(directory, "syncs.json"),
    ];
    for (const path of [dataDir, copied]) {
      mkdirSync(path, { mode: 0o700 });
      chownSync(path, serverUser().uid, serverUser().gid);
    }
    const restored = await world.run(
      "soar-restore",
      [
        "--immediate",
        "--data-dir",
        dataDir,
        "--tablespace-map",
        `${tablespace}=${copied}`,
        "--port",
        String(await freePort()),
        "--yes",
      ],
      {
        settings: {
          NODE_OPTIONS: `--import=${join(ROOT, "tooling/e2e/src/observe-syncs.ts")}`,
          SOAR_SYNC_ROOTS: `${dataDir}:${copied}`,
          SOAR_SYNC_REPORT: report,
        },
      },
    );
    expect(restored, restored.stderr).toMatchObject({ status: 0 });
    const { lost, synced } = JSON.parse(readFileSync(report, "utf8")) as Report;
    expect(lost).toEqual([]);
    expect(synced).toBeGreaterThan(900);

    const { size, blocks } = statSync(join(dataDir, row?.path ?? ""));
    expect(size).toBe(page.length * pages);
    expect(blocks * 512).toBeLessThan(size / 50);
    await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir, start: false });
    await copy.stop();
    await copy.start();
    expect(
      await copy.query("SELECT (SELECT count(*)::int FROM t) AS t, (SELECT count(*)::int FROM sparse) AS sparse"),
    ).toEqual([{ t: 1000, sparse: 1 }]);
    await copy.stop();
  },
);
