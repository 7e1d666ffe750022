import { expect, test } from "vitest";
import { ready, resultSet } from "../../test/backend-frames.ts";
import { startScriptedServer } from "../../test/scripted-server.ts";
import { readServerFacts, readSubscriptions, RECOVERY_PARAMETERS, type ServerFacts } from "./server-facts.ts";
import { connectSql } from "./sql-connection.ts";

const SETTINGS: Readonly<Record<string, string>> = {
  wal_segment_size: "16777216",
  data_checksums: "on",
  full_page_writes: "on",
  archive_mode: "on",
  archive_command: "true",
  ...Object.fromEntries(RECOVERY_PARAMETERS.map((name) => [name, "10"])),
};
const COLUMNS = [
  ["id", 25],
  ["timeline", 23],
  ["recovering", 16],
  ["version", 25],
] as const;
const CONTROL = resultSet(COLUMNS, ["7000000000000000001", "3", "t", "15.20"]);
const DATABASES = resultSet(
  [["oid", 701], "name", ["allows", 16], ["template", 16], "size"],
  ["5", "hidden", "t", "f", null],
);
const SUBSCRIPTIONS = resultSet(["database", "name", ["enabled", 16]], ["soar", "news", "f"]);

async function read(settings: Readonly<Record<string, string>>, control = CONTROL): Promise<ServerFacts> {
  const replies = [
    resultSet(["name", "setting"], ...Object.entries(settings)),
    control,
    DATABASES,
    resultSet(["oid", "name", "location"]),
    SUBSCRIPTIONS,
  ].map((send) => ({ to: "SELECT", send: Buffer.concat([send, ready]) }));
  await using server = await startScriptedServer({ replies });
  await using connection = await connectSql(server.config);
  return await readServerFacts(connection);
}

test("a standby's facts; the size of a database that the role may not enter is unknown", async () => {
  expect(await read(SETTINGS)).toMatchObject({
    systemIdentifier: "7000000000000000001",
    timeline: 3,
    inRecovery: true,
    walSegmentSize: 16 * 2 ** 20,
    dataDirectory: undefined,
    databases: [{ oid: 5, name: "hidden", isTemplate: false, sizeBytes: undefined }],
    tablespaces: [],
    superuser: undefined,
    subscriptions: [{ database: "soar", name: "news", isEnabled: false }],
  });
});

test("subscriptions are read by themselves, too", async () => {
  await using server = await startScriptedServer({
    replies: [{ to: "SELECT datname", send: Buffer.concat([SUBSCRIPTIONS, ready]) }],
  });
  await using connection = await connectSql(server.config);
  expect(await readSubscriptions(connection)).toEqual([{ database: "soar", name: "news", isEnabled: false }]);
});

test.each(Object.keys(SETTINGS))("without %s nothing is made up in its place", async (name) => {
  const { [name]: _, ...others } = SETTINGS;
  await expect(read(others)).rejects.toMatchObject({
    code: "SERVER_FAILED",
    message: expect.stringContaining(`it says nothing of ${name}`),
  });
});

test("a server without a control file is none", async () => {
  await expect(read(SETTINGS, resultSet(COLUMNS))).rejects.toMatchObject({
    code: "SERVER_FAILED",
    message: expect.stringContaining("it says nothing of its control file"),
  });
});
