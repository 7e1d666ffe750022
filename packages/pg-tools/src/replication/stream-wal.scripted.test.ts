import { describe, expect, test } from "vitest";
import {
  copyBoth,
  copyData,
  copyDone,
  errorResponse,
  int64,
  message,
  ready,
  resultSet,
} from "../../test/backend-frames.ts";
import { startScriptedServer, type Reply } from "../../test/scripted-server.ts";
import { identifySystem } from "./replication-commands.ts";
import { connectReplication } from "./replication-connection.ts";
import { streamWal, type WalStreamEvent } from "./stream-wal.ts";

const SENT_AT = new Date("2025-01-10T12:00:00Z");
const micros = int64(BigInt(SENT_AT.getTime() - Date.UTC(2000, 0, 1)) * 1000n);
const data = (startLsn: bigint, bytes: Buffer) => copyData("w", int64(startLsn), int64(0x500_0000n), micros, bytes);
const keepalive = copyData("k", int64(0x500_0000n), micros, Buffer.of(0));
const END = [
  copyDone,
  resultSet(["next_tli", "next_tli_startpos"], ["2", "0/4000000"]),
  message("C", Buffer.from("\0")),
  ready,
];

const streaming = (...parts: readonly Buffer[]): Reply => ({
  to: 'START_REPLICATION SLOT "soar" PHYSICAL 0/3000000 TIMELINE 1',
  send: Buffer.concat(parts),
});
const OPTIONS = { startLsn: 0x300_0000n, timeline: 1, slot: "soar" };

async function read(...parts: readonly Buffer[]): Promise<WalStreamEvent[]> {
  await using server = await startScriptedServer({ replies: [{ ...streaming(...parts), cut: true }] });
  await using connection = await connectReplication(server.config);
  const events: WalStreamEvent[] = [];
  for await (const event of streamWal(connection, OPTIONS)) events.push(event);
  return events;
}

test("a timeline is streamed to its end, and the connection is good for the next command", async () => {
  const identity = {
    to: "IDENTIFY_SYSTEM",
    send: resultSet(["systemid", "timeline", "xlogpos"], ["7", "2", "0/4000000"]),
  };
  // More than the socket delivers at once.
  const large = Buffer.alloc(300_000, "x");
  await using server = await startScriptedServer({
    replies: [
      streaming(copyBoth, data(0x300_0000n, Buffer.from("ab")), keepalive, data(0x300_0002n, large), ...END),
      { ...identity, send: Buffer.concat([identity.send, ready]) },
    ],
  });
  await using connection = await connectReplication(server.config);
  const events: WalStreamEvent[] = [];
  for await (const event of streamWal(connection, OPTIONS)) events.push(event);
  const at = { serverEndLsn: 0x500_0000n, sentAt: SENT_AT };
  expect(events).toEqual([
    { type: "data", startLsn: 0x300_0000n, ...at, chunk: Buffer.from("ab") },
    { type: "keepalive", ...at },
    { type: "data", startLsn: 0x300_0002n, ...at, chunk: large },
    { type: "timeline-end", nextTimeline: 2, switchLsn: 0x400_0000n },
  ]);
  expect(await identifySystem(connection)).toMatchObject({ timeline: 2 });
});

test("what is durable is told when the stream begins, and nothing is told before", async () => {
  await using server = await startScriptedServer({ replies: [streaming(copyBoth, keepalive, ...END)] });
  await using connection = await connectReplication(server.config);
  const stream = streamWal(connection, { ...OPTIONS, durableLsn: 0x2f0_0000n });
  stream.report(0x2ff_0000n);
  expect(server.commands).toEqual([]);
  for await (const event of stream) expect(event.type).not.toBe("data");
  // At the beginning, and in answer to the keepalive: as written, flushed and applied.
  await expect.poll(() => server.received).toHaveLength(2);
  for (const status of server.received)
    expect([1, 9, 17].map((at) => status.readBigUInt64BE(at))).toEqual([0x2ff_0000n, 0x2ff_0000n, 0x2ff_0000n]);
  // The stream is over: what is reported now would be taken for a command.
  stream.report(0x300_0000n);
  await connection.close();
  expect(server.received).toHaveLength(2);
});

describe("a stream that is not what it should be ends with the reason", () => {
  const failure = { C: "58P01", M: "requested WAL segment has already been removed" };
  const nowhere = resultSet(["next_tli", "next_tli_startpos"], ["2", null]);
  test.each<[string, Buffer[], string]>([
    ["refused at once", [errorResponse(failure), ready], "already been removed [58P01]"],
    ["answered with something else", [ready], "unexpected 'Z'"],
    ["refused in the middle", [copyBoth, errorResponse(failure), ready], "already been removed [58P01]"],
    ["of a message that nobody knows", [copyBoth, copyData("x", Buffer.alloc(24))], "unknown message kind 120"],
    [
      "refused where the timeline ends",
      [copyBoth, copyDone, errorResponse(failure), ready],
      "already been removed [58P01]",
    ],
    [
      "refused behind the end",
      [copyBoth, copyDone, resultSet(["a", "b"], ["2", "0/1"]), errorResponse(failure), ready],
      "removed [58P01]",
    ],
    ["that does not say where it ends", [copyBoth, copyDone, resultSet(["a", "b"]), ready], "the server did not say"],
    ["that says half of it", [copyBoth, copyDone, nowhere, ready], "the server did not say"],
    ["that breaks", [copyBoth, keepalive], "the server closed the connection"],
  ])("%s", async (_, parts, fact) => {
    await expect(read(...parts)).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining(fact),
    });
  });
});
