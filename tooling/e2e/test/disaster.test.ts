import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import {
  aviationTrafficSql,
  databaseDigest,
  differingTables,
  loadAviationData,
  postgresMajors,
  type DatabaseDigest,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import { describe, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

const DATABASES = ["soar", "staging"] as const;
type Digests = Record<(typeof DATABASES)[number], DatabaseDigest>;

async function digests(cluster: TestCluster): Promise<Digests> {
  const of = (database: string) => databaseDigest((sql) => cluster.query(sql, [], database));
  return { soar: await of("soar"), staging: await of("staging") };
}

/** All rows of all tables of both databases are equal. */
function expectEqual(actual: Digests, expected: Digests): void {
  for (const database of DATABASES) expect(differingTables(actual[database], expected[database]), database).toEqual([]);
}

async function load(world: SoarWorld): Promise<void> {
  for (const database of DATABASES)
    await loadAviationData((sql) => world.cluster.query(sql, [], database), { sizeMb: 12 });
}

const write = (world: SoarWorld, database: string, rows: number) =>
  world.cluster.query(aviationTrafficSql({ rows }), [], database);

describe.each(postgresMajors().map((installation) => [installation.major, installation] as const))(
  "PostgreSQL %i",
  (_, installation) => {
    test(
      "everything is lost and comes back: to the latest state, to an instant between two commits, along every timeline",
      { timeout: 180_000 },
      async () => {
        await using world = await createSoarWorld({ installation, databases: DATABASES });
        const { cluster } = world;
        await load(world);
        const backup = await world.run("soar-base-backup", []);
        expect(backup, backup.stderr).toMatchObject({ status: 0 });

        await passCheckpoint(cluster);
        await write(world, "soar", 200);
        await write(world, "staging", 200);
        const before = await digests(cluster);
        const instant = await databaseTime(cluster);
        await cluster.query("DELETE FROM devices", [], "soar");
        await write(world, "staging", 100);
        const latest = await digests(cluster);
        expect(differingTables(before.soar, latest.soar)).toContain("public.devices");
        await archiveAll(cluster);

        const verified = await world.run("soar-backup-verify", []);
        expect(verified, verified.stdout).toMatchObject({ status: 0 });

        await cluster.kill();
        await rm(cluster.dataDir, { recursive: true });

        await restoreAndCompare(world, ["--latest"], latest, 2);
        // The newest timeline is the restored one now; the instant lies on the one before, and recovery must follow that.
        await restoreAndCompare(world, ["--target-time", instant], before, 3);
        // What was restored last is the latest state, although of its timeline only the history was archived.
        await restoreAndCompare(world, ["--latest"], before, 4);
        await restoreAndCompare(world, ["--latest", "--target-timeline", "1"], latest, 5);
      },
    );
  },
);

/** Restores in place, compares every row, and clears the way for the next restore. */
async function restoreAndCompare(
  world: SoarWorld,
  target: readonly string[],
  expected: Digests,
  timeline: number,
): Promise<void> {
  const { cluster } = world;
  const restored = await world.run("soar-restore", [...target, "--yes", "--json"]);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(restored.stdout)).toMatchObject({ timeline, outcome: "promoted", fenced: false });
  try {
    expectEqual(await digests(cluster), expected);
    await cluster.query("CREATE TABLE takes_writes ()", [], "soar");
    expect(existsSync(`${cluster.dataDir}/recovery.signal`)).toBe(false);
  } finally {
    await cluster.stop("immediate");
    await rm(cluster.dataDir, { recursive: true });
  }
}
