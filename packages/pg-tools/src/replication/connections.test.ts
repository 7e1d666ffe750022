import {
  createTestCluster,
  postgresMajors,
  requireInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createPhysicalSlot,
  dropReplicationSlot,
  identifySystem,
  readReplicationSlot,
  showSetting,
  timelineHistory,
} from "./replication-commands.ts";
import { connectReplication } from "./replication-connection.ts";
import { readServerFacts } from "./server-facts.ts";
import { connectSql } from "./sql-connection.ts";

test.each(postgresMajors())("asks PostgreSQL $major who it is, over replication and over SQL", async (installation) => {
  await using cluster = await createTestCluster({
    installation,
    initdbArgs: ["--wal-segsize=1", "--data-checksums"],
    databases: ["soar"],
    settings: { max_connections: 77 },
    archiveCommand: "true",
  });
  const location = cluster.tablespaceDir("ts");
  await cluster.query(`create tablespace extra location '${location}'`);
  await using connection = await connectReplication(cluster.connection);
  const identity = await identifySystem(connection);
  expect(identity.timeline).toBe(1);
  expect(await showSetting(connection, "wal_segment_size")).toBe("1MB");
  expect(Math.floor(connection.serverVersion / 10_000)).toBe(installation.major);
  expect(await readReplicationSlot(connection, "soar")).toBeUndefined();
  await createPhysicalSlot(connection, "soar", { reserveWal: true });
  expect(await readReplicationSlot(connection, "soar")).toMatchObject({ type: "physical", restartTimeline: 1 });
  await dropReplicationSlot(connection, "soar");
  await expect(timelineHistory(connection, 7)).rejects.toMatchObject({
    code: expect.stringMatching(/^SERVER_/) as string,
  });
  // The connection is good for another command after an error.
  expect(await identifySystem(connection)).toMatchObject({ systemIdentifier: identity.systemIdentifier });

  await using sql = await connectSql(cluster.connection);
  const facts = await readServerFacts(sql);
  expect(facts).toMatchObject({
    systemIdentifier: identity.systemIdentifier,
    timeline: 1,
    inRecovery: false,
    dataDirectory: cluster.dataDir,
    configFile: `${cluster.dataDir}/postgresql.conf`,
    accessFiles: { hba_file: `${cluster.dataDir}/pg_hba.conf`, ident_file: `${cluster.dataDir}/pg_ident.conf` },
    walSegmentSize: 2 ** 20,
    dataChecksums: true,
    fullPageWrites: true,
    archiveMode: "on",
    archiveCommand: "true",
    recoveryParameters: { max_connections: 77, max_wal_senders: 10 },
    tablespaces: [{ name: "extra", location }],
  });
  expect(Math.floor(facts.versionNumber / 10_000)).toBe(installation.major);
  expect(facts.databases.map(({ name }) => name).sort()).toEqual(["postgres", "soar", "template0", "template1"]);
  expect(facts.databases.find(({ name }) => name === "soar")?.sizeBytes).toBeGreaterThan(5_000_000);
});

describe("failures that an operator can act on", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await createTestCluster({
      installation: requireInstallation(),
      password: "right-password",
      hba: [
        "host all outsider 127.0.0.1/32 trust",
        "host replication outsider 127.0.0.1/32 reject",
        "host replication plain 127.0.0.1/32 trust",
        "host all plain 127.0.0.1/32 trust",
      ],
    });
    await cluster.query("create role outsider login replication; create role plain login");
  });
  afterAll(() => cluster.remove());

  test("a wrong password", async () => {
    await expect(connectReplication({ ...cluster.connection, password: "wrong-password" })).rejects.toMatchObject({
      code: "SERVER_DENIED",
      message: expect.stringContaining(`unable to connect to 'postgres@127.0.0.1:${cluster.port}'`) as string,
      hint: expect.stringContaining("password") as string,
    });
  });

  test("no password where one is needed, whatever PGPASSWORD says", async () => {
    process.env["PGPASSWORD"] = "right-password";
    await expect(connectSql({ ...cluster.connection, password: undefined })).rejects.toMatchObject({
      code: "SERVER_DENIED",
      message: expect.stringContaining("asks for a password") as string,
    });
    delete process.env["PGPASSWORD"];
  });

  test("the right password, also from a function, shows nowhere", async () => {
    await using connection = await connectSql({
      ...cluster.connection,
      password: () => Promise.resolve("right-password"),
    });
    const error: unknown = await connection.query("select 'right-password'::int").catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "SERVER_FAILED", message: expect.stringContaining("[hidden]") as string });
  });

  test("no pg_hba.conf line for replication", async () => {
    await expect(connectReplication({ ...cluster.connection, user: "outsider" })).rejects.toMatchObject({
      code: "SERVER_DENIED",
      hint: expect.stringContaining("host  replication  outsider") as string,
    });
  });

  test("a role without the right to replicate", async () => {
    await expect(connectReplication({ ...cluster.connection, user: "plain" })).rejects.toMatchObject({
      code: "SERVER_DENIED",
      hint: 'Give the role the right to replicate: ALTER ROLE "plain" REPLICATION.',
    });
  });

  test("an ordinary role reads all facts but those that are hidden from it", async () => {
    await using connection = await connectSql({ ...cluster.connection, user: "plain" });
    const facts = await readServerFacts(connection);
    expect(facts).toMatchObject({
      dataDirectory: undefined,
      archiveCommand: "(disabled)",
      walSegmentSize: 16 * 2 ** 20,
    });
    expect(facts.systemIdentifier).toMatch(/^\d{19}$/);
  });

  test("a database that does not exist", async () => {
    await expect(connectSql({ ...cluster.connection, database: "nowhere" })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });

  test("nobody listens, over TCP and on a socket", async () => {
    await expect(connectSql({ ...cluster.connection, port: 1 })).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      retryable: true,
    });
    await expect(connectSql({ ...cluster.connection, host: cluster.socketDir, port: 1 })).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      hint: expect.stringContaining(cluster.socketDir) as string,
    });
  });

  test("TLS where the server has none", async () => {
    await expect(connectSql({ ...cluster.connection, tls: { mode: "require" } })).rejects.toMatchObject({
      code: "SERVER_DENIED",
      hint: expect.stringContaining("TLS") as string,
    });
    await using preferred = await connectSql({ ...cluster.connection, tls: { mode: "prefer" } });
    expect(await preferred.query("select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("an abort cancels the statement in the server, and the session goes on", async () => {
    await using connection = await connectSql(cluster.connection);
    await expect(
      connection.query("select pg_sleep(60)", [], { signal: AbortSignal.timeout(100) }),
    ).rejects.toMatchObject({ code: "ABORTED" });
    expect(await connection.query("select 1 as one")).toEqual([{ one: 1 }]);
    await expect(connection.query("select 1", [], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await expect(connectSql(cluster.connection, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });

  test("a terminated session rejects and does not crash the process", async () => {
    await using connection = await connectSql(cluster.connection);
    const [row] = await connection.query<{ pid: number }>("select pg_backend_pid() as pid");
    await cluster.query("select pg_terminate_backend($1)", [row?.pid]);
    await expect(connection.query("select 1")).rejects.toMatchObject({
      code: expect.stringMatching(/^SERVER_/) as string,
    });
  });
});
