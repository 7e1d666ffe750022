// @module-tag needs-postgres-clients
import { rm } from "node:fs/promises";
import {
  aviationTrafficSql,
  databaseDigest,
  differingTables,
  loadAviationData,
  requireInstallation,
} from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { createSoarWorld } from "../src/soar-world.ts";

test(
  "a full backup through pg_basebackup and an incremental one upon it, taken under load, are restored alike, row by row",
  { timeout: 180_000 },
  async () => {
    await using world = await createSoarWorld({
      installation: requireInstallation("pg_basebackup"),
      databases: ["soar"],
    });
    const { cluster } = world;
    await loadAviationData((sql) => cluster.query(sql, [], "soar"), { sizeMb: 40 });
    const underLoad = async (...args: string[]) => {
      let isRunning = true;
      const backup = world.run("soar-base-backup", ["--json", ...args]).finally(() => (isRunning = false));
      let transactions = 0;
      for (; isRunning; transactions += 1) await cluster.query(aviationTrafficSql({ rows: 20 }), [], "soar");
      const result = await backup;
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(transactions).toBeGreaterThan(1);
      return JSON.parse(result.stdout) as {
        label: string;
        kind: string;
        source: { method: string };
        sizes: { new: number };
      };
    };
    const full = await underLoad("--method", "pg_basebackup");
    const incremental = await underLoad("--incremental");
    expect([full, incremental].map(({ source }) => source.method)).toEqual(["pg_basebackup", "files"]);
    expect(incremental.kind).toBe("incremental");
    expect(incremental.sizes.new).toBeLessThan(full.sizes.new);
    await cluster.query("SELECT pg_switch_wal()");
    const expected = await databaseDigest((sql) => cluster.query(sql, [], "soar"));
    await expect
      .poll(
        async () =>
          (
            await cluster.query(
              "SELECT last_archived_wal >= pg_walfile_name(pg_switch_wal() - 1) AS done FROM pg_stat_archiver",
            )
          )[0]?.["done"],
        { timeout: 60_000 },
      )
      .toBe(true);

    for (const [position, { label }] of [incremental, full].entries()) {
      await cluster.kill();
      await rm(cluster.dataDir, { recursive: true });
      const restored = await world.run("soar-restore", [
        "--latest",
        "--target-timeline",
        "1",
        "--base-backup",
        label,
        "--yes",
        "--json",
      ]);
      expect(restored, restored.stderr).toMatchObject({ status: 0 });
      expect(JSON.parse(restored.stdout)).toMatchObject({ timeline: position + 2, outcome: "promoted" });
      expect(differingTables(await databaseDigest((sql) => cluster.query(sql, [], "soar")), expected)).toEqual([]);
    }
    await cluster.stop("immediate");
  },
);
