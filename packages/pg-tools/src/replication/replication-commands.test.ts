import { describe, expect, test } from "vitest";
import {
  copyOut,
  errorResponse,
  message,
  noticeResponse,
  parameterStatus,
  ready,
  resultSet,
} from "../../test/backend-frames.ts";
import { startScriptedServer, type Reply } from "../../test/scripted-server.ts";
import {
  createPhysicalSlot,
  identifySystem,
  readReplicationSlot,
  showSetting,
  timelineHistory,
} from "./replication-commands.ts";
import { connectReplication, type ReplicationConnection } from "./replication-connection.ts";

/** What a command makes of an answer. */
async function ask<T>(replies: readonly Reply[], run: (connection: ReplicationConnection) => Promise<T>): Promise<T> {
  await using server = await startScriptedServer({ replies });
  await using connection = await connectReplication(server.config);
  return await run(connection);
}

const answer = (to: string, ...parts: readonly Buffer[]): Reply => ({ to, send: Buffer.concat([...parts, ready]) });
const SLOT = ["slot_type", "restart_lsn", "restart_tli"];

test.each([
  ["that streamed", ["physical", "0/3000000", "2"], { type: "physical", restartLsn: 0x300_0000n, restartTimeline: 2 }],
  [
    "that was never used",
    ["physical", null, null],
    { type: "physical", restartLsn: undefined, restartTimeline: undefined },
  ],
  ["of another kind", ["logical", "0/3000000", "1"], { type: "logical", restartLsn: 0x300_0000n, restartTimeline: 1 }],
  ["that is not there", [null, null, null], undefined],
])("a slot %s", async (_, row, expected) => {
  const reply = answer('READ_REPLICATION_SLOT "my""slot"', resultSet(SLOT, row));
  expect(await ask([reply], (connection) => readReplicationSlot(connection, 'my"slot'))).toEqual(expected);
});

test("a slot is made to last, or for the session only, and keeps WAL where that is asked for", async () => {
  const done = (to: string) => answer(to, message("C", Buffer.from("CREATE_REPLICATION_SLOT\0")));
  const replies = [
    done('CREATE_REPLICATION_SLOT "soar" PHYSICAL (RESERVE_WAL true)'),
    done('CREATE_REPLICATION_SLOT "soar" TEMPORARY PHYSICAL (RESERVE_WAL false)'),
  ];
  await using server = await startScriptedServer({ replies });
  await using connection = await connectReplication(server.config);
  await createPhysicalSlot(connection, "soar", { reserveWal: true });
  await createPhysicalSlot(connection, "soar", { reserveWal: false, temporary: true });
  expect(server.commands).toEqual(replies.map(({ to }) => to));
});

test("a setting without a value is empty", async () => {
  const reply = answer('SHOW "wal_segment_size"', resultSet(["wal_segment_size"], [null]));
  expect(await ask([reply], (connection) => showSetting(connection, "wal_segment_size"))).toBe("");
});

test("settings that change and warnings that come in between belong to no answer", async () => {
  const between = [parameterStatus("TimeZone", "UTC"), noticeResponse({ M: "the collation has changed" })];
  const reply = answer('SHOW "x"', ...between, resultSet(["x"], ["on"]));
  expect(await ask([reply], (connection) => showSetting(connection, "x"))).toBe("on");
});

describe("an answer that is none is told, and nothing made up in its place", () => {
  test.each<[string, Reply, string]>([
    ["no row", answer("IDENTIFY_SYSTEM", resultSet(["systemid"])), "the server sent no row"],
    ["no result set", answer("IDENTIFY_SYSTEM"), "the server sent no row"],
    [
      "a row without a value",
      answer("IDENTIFY_SYSTEM", resultSet(["systemid", "timeline"], [null, "1"])),
      "no value in 'systemid'",
    ],
    [
      "a row without the column",
      answer("IDENTIFY_SYSTEM", resultSet(["systemid"], ["7000000000000000001"])),
      "no value in 'timeline'",
    ],
    ["a copy stream", answer("IDENTIFY_SYSTEM", copyOut, Buffer.from("d\0\0\0\x05x")), "answered with a copy stream"],
  ])("%s", async (_, reply, fact) => {
    await expect(ask([reply], identifySystem)).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining(fact),
    });
  });
});

test("an error ends the command, and a fatal one the connection, each told with its reason", async () => {
  const failed = answer("TIMELINE_HISTORY 7", errorResponse({ C: "58P01", M: "there is no such file" }));
  const identity = answer(
    "IDENTIFY_SYSTEM",
    resultSet(["systemid", "timeline", "xlogpos"], ["7000000000000000001", "1", "0/3000060"]),
  );
  const fatal = {
    to: "IDENTIFY_SYSTEM",
    send: errorResponse({ V: "FATAL", C: "57P01", M: "terminating connection due to administrator command" }),
    cut: true,
  };
  await ask([failed, identity, fatal], async (connection) => {
    await expect(timelineHistory(connection, 7)).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining("there is no such file [58P01]"),
    });
    expect(await identifySystem(connection)).toMatchObject({ timeline: 1, walLsn: 0x300_0060n });
    await expect(identifySystem(connection)).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining("administrator command [57P01]"),
      retryable: true,
    });
  });
});

test("a connection that breaks in the middle of an answer is told as lost, and can be closed", async () => {
  const half = { to: "IDENTIFY_SYSTEM", send: resultSet(["systemid"]).subarray(0, 9), cut: true };
  await ask([half], async (connection) => {
    await expect(identifySystem(connection)).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining("the server closed the connection"),
      retryable: true,
    });
  });
});

test("bytes that are no message end the connection, because nothing behind them can be read", async () => {
  const reply = { to: "IDENTIFY_SYSTEM", send: Buffer.from("D\0\0\0\0and so on") };
  await ask([reply], async (connection) => {
    await expect(identifySystem(connection)).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining("a message of type 68 claims -4 bytes"),
    });
  });
});
