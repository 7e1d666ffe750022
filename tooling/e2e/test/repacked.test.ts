import { rm } from "node:fs/promises";
import { postgresMajors, requireInstallation, tearRecord } from "@soar-tooling/postgres-clusters";
import { requires } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** While a table is written anew again and again, and goes on changing. */
async function backUpWhileRepacking(world: SoarWorld, ...args: readonly string[]): Promise<{ kind: string }> {
  let isRunning = true;
  const backup = world.run("soar-base-backup", ["--json", ...args]).finally(() => (isRunning = false));
  let rounds = 0;
  const repack = async (): Promise<void> => {
    for (; isRunning; rounds += 1) await world.cluster.query("REPACK (CONCURRENTLY) busy");
  };
  const change = async (): Promise<void> => {
    for (let n = 1; isRunning; n += 1)
      await world.cluster.query(`UPDATE busy SET text = md5(text) WHERE n % 97 = ${n % 97}`);
  };
  await Promise.all([repack(), change()]);
  const result = await backup;
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(rounds).toBeGreaterThan(1);
  return JSON.parse(result.stdout) as { kind: string };
}

test(
  "backups while REPACK (CONCURRENTLY) runs, and a transaction behind a record that a power loss cut off, are restored row by row",
  { ...requires("major-19"), timeout: 240_000 },
  async () => {
    const installation = postgresMajors().find(({ major }) => major === 19) ?? requireInstallation();
    await using world = await createSoarWorld({ installation });
    const { cluster } = world;
    await cluster.query("CREATE TABLE busy AS SELECT n, md5(n::text) AS text FROM generate_series(1, 50000) AS n");
    await cluster.query("ALTER TABLE busy ADD PRIMARY KEY (n)");
    await cluster.query("CREATE TABLE marks (name text)");
    expect(await backUpWhileRepacking(world)).toMatchObject({ kind: "full" });
    expect(await backUpWhileRepacking(world, "--incremental")).toMatchObject({ kind: "incremental" });
    await tearRecord(cluster);
    const rows = "SELECT count(*)::int AS rows, md5(string_agg(text, ',' ORDER BY n)) AS sum FROM busy";
    const expected = await cluster.query(rows);
    const [mark] = await cluster.query<{ xid: string }>(
      "INSERT INTO marks VALUES ('wanted') RETURNING pg_current_xact_id()::text AS xid",
    );
    await cluster.query("INSERT INTO marks VALUES ('unwanted')");
    await archiveAll(cluster);

    const verified = await world.run("soar-backup-verify", ["--level", "full"]);
    expect(verified, verified.stdout).toMatchObject({ status: 0 });
    await cluster.kill();
    await rm(cluster.dataDir, { recursive: true });
    const restored = await world.run("soar-restore", ["--target-xid", mark?.xid ?? "", "--yes", "--json"]);
    expect(restored, restored.stderr).toMatchObject({ status: 0 });
    expect(await cluster.query(rows)).toEqual(expected);
    expect(await cluster.query("SELECT name FROM marks")).toEqual([{ name: "wanted" }]);
    await cluster.stop("immediate");
  },
);
