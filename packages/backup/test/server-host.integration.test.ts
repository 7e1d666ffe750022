import { writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { connectSql, type ConnectionConfig } from "@soar/pg-tools/replication";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ownMachineId } from "@soar/durable-files/processes";
import { readServerHost, readServerMachine } from "../src/server-host.ts";

let cluster: TestCluster;
let otherBootId: string;
let tunnel: Server;
beforeAll(async () => {
  cluster = await createTestCluster({
    installation: requireInstallation("postgres"),
    settings: { listen_addresses: "127.0.0.1" },
  });
  await cluster.query("CREATE ROLE plain LOGIN");
  otherBootId = join(cluster.socketDir, "boot_id");
  writeFileSync(otherBootId, "00000000-0000-4000-8000-000000000000\n");
  // As ssh -L or a proxy makes one: the server sees a connection from its own address, of another process.
  tunnel = createServer((near) => {
    const far = connect(cluster.port, "127.0.0.1");
    near.on("error", () => far.destroy()).pipe(far);
    far.on("error", () => near.destroy()).pipe(near);
  });
  await new Promise<void>((resolve) => tunnel.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  await new Promise((resolve) => tunnel.close(resolve));
  await cluster.remove();
});

async function hostOf(more: Partial<ConnectionConfig> = {}, bootIdFile?: string): Promise<string> {
  const server = { ...cluster.connection, ...more };
  await using sql = await connectSql(server);
  return await readServerHost(sql, {
    host: "this-machine",
    server,
    ...(bootIdFile === undefined ? {} : { bootIdFile }),
  });
}

test("a server on this machine has its name, however it is reached and whatever the role may read", async () => {
  for (const host of [cluster.connection.host, "127.0.0.1"])
    for (const user of [cluster.connection.user, "plain"]) expect(await hostOf({ host, user })).toBe("this-machine");
});

test("a backup by a unit of systemd in a container, which sees another boot id than the server, names this machine", async () => {
  for (const host of [cluster.connection.host, "127.0.0.1"])
    for (const user of [cluster.connection.user, "plain"])
      expect(await hostOf({ host, user }, otherBootId)).toBe("this-machine");
});

test("a server on another machine behind a tunnel has the name by which it is reached", async () => {
  const { port } = tunnel.address() as AddressInfo;
  for (const user of [cluster.connection.user, "plain"])
    expect(await hostOf({ host: "127.0.0.1", port, user }, otherBootId)).toBe("127.0.0.1");
});

test("the id of the machine is that of one that is proved to be this, and of no other", async () => {
  const machine = await ownMachineId();
  const { port } = tunnel.address() as AddressInfo;
  const server = { ...cluster.connection, host: "127.0.0.1", user: "plain" };
  await using here = await connectSql(server);
  expect(await readServerMachine(here, { host: "this-machine", server })).toEqual({ host: "this-machine", machine });
  await using there = await connectSql({ ...server, port });
  // By the name that this machine has, too.
  const named = { host: "127.0.0.1", server, bootIdFile: otherBootId };
  expect(await readServerMachine(there, named)).toEqual({ host: "127.0.0.1", machine: undefined });
});
