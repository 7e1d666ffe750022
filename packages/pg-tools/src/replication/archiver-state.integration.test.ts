import { renameSync } from "node:fs";
import { join } from "node:path";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readArchiverState } from "./archiver-state.ts";
import { connectSql, type SqlConnection } from "./sql-connection.ts";

let cluster: TestCluster;
let sql: SqlConnection;
beforeAll(async () => {
  cluster = await createTestCluster({
    installation: requireInstallation("pg_ctl"),
    initdbArgs: ["--wal-segsize=1"],
    settings: { archive_mode: "on", archive_command: "false" },
  });
  sql = await connectSql(cluster.connection);
});
afterAll(async () => {
  await sql.close();
  await cluster.remove();
});

test("archiving fails while the segment waits, and no longer once somebody has settled it", async () => {
  expect(await readArchiverState(sql, undefined)).toEqual({
    archivedCount: "0",
    lastArchived: undefined,
    lastFailed: undefined,
    failing: false,
  });
  await cluster.query("CREATE TABLE t (a int)");
  await cluster.query("SELECT pg_switch_wal()");
  await expect.poll(async () => (await readArchiverState(sql, undefined, 0)).failing, { timeout: 30_000 }).toBe(true);
  const { lastFailed = "" } = await readArchiverState(sql, undefined);
  await cluster.query("CREATE ROLE nobody LOGIN");
  await using other = await connectSql({ ...cluster.connection, user: "nobody" });
  // Whoever may not see what waits goes by how long ago the attempt was.
  expect(await readArchiverState(other, undefined)).toMatchObject({ lastFailed, failing: true });
  expect(await readArchiverState(other, undefined, 0)).toMatchObject({ lastFailed, failing: false });

  const status = join(cluster.dataDir, "pg_wal", "archive_status");
  renameSync(join(status, `${lastFailed}.ready`), join(status, `${lastFailed}.done`));
  expect(await readArchiverState(sql, undefined, 0)).toMatchObject({ lastFailed, failing: false });
});
