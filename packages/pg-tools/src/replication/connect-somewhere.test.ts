import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorResponse } from "../../test/backend-frames.ts";
import { startScriptedServer } from "../../test/scripted-server.ts";
import { connectSomewhere, findSuperuser } from "./connect-somewhere.ts";
import { connectSql } from "./sql-connection.ts";
import type { ConnectionConfig } from "./connection-config.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await createTestCluster({
    installation: requireInstallation(),
    initdbArgs: ["--locale=C", "--encoding=UTF8"],
    databases: ["soar"],
    hba: [
      "host postgres guest,narrow,asked 127.0.0.1/32 reject",
      "host soar narrow 127.0.0.1/32 reject",
      "host soar asked 127.0.0.1/32 scram-sha-256",
      "host all shut 127.0.0.1/32 reject",
      "host all guest,narrow,asked,plain 127.0.0.1/32 trust",
    ],
  });
  for (const role of ["guest", "narrow", "asked", "shut", "plain"]) await cluster.query(`CREATE ROLE ${role} LOGIN`);
});
afterAll(() => cluster.remove());

function as(user: string, database?: string): ConnectionConfig {
  return { ...cluster.connection, user, database };
}

test.each([
  ["postgres", undefined, [], "postgres"],
  ["postgres", "soar", [], "soar"],
  ["postgres", "template1", [], "template1"],
  ["postgres", "soar", ["soar"], "postgres"],
  // Let into template1 only, they go on from there where they can.
  ["guest", undefined, [], "soar"],
  ["guest", undefined, ["soar", "postgres"], "template1"],
  ["narrow", undefined, [], "template1"],
])("%s with database %s, avoiding %j, comes into %s", async (user, database, avoid, expected) => {
  await using connection = await connectSomewhere(as(user, database), { avoid });
  expect(connection.database).toBe(expected);
  expect(await connection.query("SELECT current_database() AS name")).toEqual([{ name: expected }]);
});

test("avoids nothing unless it is told to", async () => {
  await using connection = await connectSomewhere(as("postgres"));
  expect(connection.database).toBe("postgres");
});

test("tells why the first could not be entered, and what no other database would change", async () => {
  await expect(connectSomewhere(as("shut", "soar"))).rejects.toMatchObject({
    code: "SERVER_DENIED",
    message: expect.stringContaining('database "soar"') as string,
  });
  await expect(connectSomewhere({ ...as("postgres"), port: 1 })).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
  await expect(connectSomewhere(as("asked"))).rejects.toMatchObject({
    code: "SERVER_DENIED",
    message: expect.stringContaining("asks for a password") as string,
  });
  await expect(connectSomewhere(as("postgres"), { avoid: ["postgres", "template1"] })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
});

test("a role that the server does not know is tried once, whatever the database", async () => {
  const refusal = errorResponse({
    V: "FATAL",
    S: "FATAL",
    C: "28000",
    M: "no such role",
    R: "InitializeSessionUserId",
  });
  await using server = await startScriptedServer({ refusal });
  const options = { roles: ["one", "two"], databases: ["soar", "postgres"] };
  await expect(findSuperuser(server.config, options)).rejects.toMatchObject({ code: "SERVER_DENIED" });
  expect(server.sessions.map(({ user }) => user)).toEqual(["one", "two"]);
});

test("finds a superuser by any role that is let in, and says when none may log in", async () => {
  const options = { roles: ["not_there", undefined, "shut", "plain"], databases: ["nowhere", "soar"] };
  expect(await findSuperuser(as("plain"), options)).toMatchObject({
    user: "postgres",
    database: "soar",
    isOwnServer: true,
  });
  await cluster.query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
  // Programs can be told names that are UTF-8 only, so that such a superuser is better than the one that was let in.
  await using connection = await connectSql(as("postgres", "latin"), { writes: true, text: "unicode" });
  await connection.query('CREATE ROLE "chéf" LOGIN SUPERUSER');
  const chief = { roles: ["ch\udce9f"], databases: ["soar"] };
  expect(await findSuperuser(as("plain"), chief)).toMatchObject({ user: "postgres" });
  await connection.query("ALTER ROLE postgres NOLOGIN");
  expect(await findSuperuser(as("plain"), chief)).toMatchObject({ user: "ch\udce9f" });
  await connection.query('ALTER ROLE "chéf" NOLOGIN');
  await expect(findSuperuser(as("plain"), options)).rejects.toMatchObject({
    code: "SERVER_DENIED",
    message: "no superuser of the source may log in",
  });
});
