import { createTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { runSingleUser } from "./single-user.ts";

test("statements reach a cluster that no superuser can log in to, also by a database that lets nobody in", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation(), databases: ["shut"] });
  const { dataDir, binDir } = cluster;
  await cluster.query("ALTER DATABASE shut ALLOW_CONNECTIONS false");
  await cluster.query("ALTER ROLE postgres NOLOGIN");
  await cluster.stop();
  const place = { binDir, dataDir };
  await runSingleUser({
    ...place,
    // Whatever the server is started with, statements may write.
    settings: { default_transaction_read_only: "on" },
    configFile: `${dataDir}/postgresql.conf`,
    database: "shut",
    statements: [
      "UPDATE pg_database SET datallowconn = true WHERE datname = current_database()",
      "ALTER ROLE postgres LOGIN",
    ],
  });
  await expect(runSingleUser({ ...place, database: "nowhere", statements: [] })).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: expect.stringContaining('database "nowhere" does not exist') as string,
  });
  await cluster.start();
  expect(await cluster.query("SELECT current_database()::text AS name", [], "shut")).toEqual([{ name: "shut" }]);
});

test("it runs as who is named", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  const { dataDir, binDir } = cluster;
  await cluster.stop();
  const { uid, gid } = cluster.owner;
  const statements = ["CREATE ROLE one"];
  await runSingleUser({ binDir, dataDir, owner: { uid, gid }, database: "postgres", statements });
  await cluster.start();
  expect(await cluster.query("SELECT rolname::text AS name FROM pg_roles WHERE rolname = 'one'")).toHaveLength(1);
});
