import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectSql, type ConnectionConfig } from "@soar/pg-tools/replication";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readServerHost } from "../src/server-host.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await createTestCluster({
    installation: requireInstallation("postgres"),
    settings: { listen_addresses: "127.0.0.1" },
  });
  await cluster.query("CREATE ROLE plain LOGIN");
});
afterAll(() => cluster.remove());

async function hostOf(more: Partial<ConnectionConfig> = {}, bootIdFile?: string): Promise<string> {
  await using sql = await connectSql({ ...cluster.connection, ...more });
  return await readServerHost(sql, {
    host: "this-machine",
    server: { host: "db.example.com" },
    ...(bootIdFile === undefined ? {} : { bootIdFile }),
  });
}

test("a server on this machine has its name, however it is reached and whatever the role may read", async () => {
  expect(await hostOf()).toBe("this-machine");
  expect(await hostOf({ host: "127.0.0.1" })).toBe("this-machine");
  expect(await hostOf({ user: "plain" })).toBe("this-machine");
});

test("a server on another machine, also behind a tunnel, has the name by which it is reached", async () => {
  const other = join(cluster.socketDir, "boot_id");
  writeFileSync(other, "00000000-0000-4000-8000-000000000000\n");
  for (const host of [cluster.connection.host, "127.0.0.1"])
    expect(await hostOf({ host }, other)).toBe("db.example.com");
});
