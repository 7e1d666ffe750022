import { describe, expect, test } from "vitest";
import {
  copyData,
  copyDone,
  copyOut,
  errorResponse,
  int64,
  noticeResponse,
  parameterStatus,
  ready,
  resultSet,
} from "../../test/backend-frames.ts";
import { startScriptedServer } from "../../test/scripted-server.ts";
import { baseBackup } from "./base-backup.ts";
import type { BaseBackupEvent } from "./base-backup-stream.ts";
import { connectReplication } from "./replication-connection.ts";

const position = (lsn: string) => resultSet(["recptr", "tli"], [lsn, "1"]);
const TABLESPACES = resultSet(["spcoid", "spclocation", "size"], ["16400", "/mnt/extra", "8"], [null, null, null]);
const START = [position("0/2000028"), TABLESPACES, copyOut];
const newArchive = (name: string, location = "") => copyData("n", Buffer.from(`${name}\0${location}\0`));
const END = [copyDone, position("0/2000100"), ready];

/** The events of a backup that the server sends like this. */
async function backup(...parts: readonly Buffer[]): Promise<BaseBackupEvent[]> {
  await using server = await startScriptedServer({
    replies: [{ to: "BASE_BACKUP", send: Buffer.concat(parts), cut: true }],
  });
  await using connection = await connectReplication(server.config);
  const events: BaseBackupEvent[] = [];
  for await (const event of baseBackup(connection, { label: "x" })) events.push(event);
  return events;
}

test("a whole backup: tablespaces, data as it comes, the manifest, progress", async () => {
  const events = await backup(
    ...START,
    newArchive("16400.tar", "/mnt/extra"),
    copyData("d", Buffer.from("ab")),
    parameterStatus("TimeZone", "UTC"),
    // A message without a byte of data is no chunk.
    copyData("d"),
    copyData("p", int64(4096n)),
    newArchive("base.tar"),
    copyData("d", Buffer.from("cd")),
    copyData("m"),
    copyData("d", Buffer.from("{}")),
    ...END,
  );
  expect(events).toEqual([
    {
      type: "start",
      startLsn: 0x200_0028n,
      timeline: 1,
      tablespaces: [
        { oid: 16400, location: "/mnt/extra", estimatedBytes: 8192 },
        { oid: undefined, location: undefined, estimatedBytes: undefined },
      ],
    },
    { type: "archive", name: "16400.tar", oid: 16400, location: "/mnt/extra" },
    { type: "data", chunk: Buffer.from("ab") },
    { type: "progress", done: 4096 },
    { type: "archive-end" },
    { type: "archive", name: "base.tar", oid: undefined, location: undefined },
    { type: "data", chunk: Buffer.from("cd") },
    { type: "archive-end" },
    { type: "manifest", chunk: Buffer.from("{}") },
    { type: "end", stopLsn: 0x200_0100n, timeline: 1, damaged: undefined, warnings: [] },
  ]);
});

test("a message that arrives in pieces is put together, one of data is not", async () => {
  const location = `/mnt/${"x".repeat(300_000)}`;
  const data = Buffer.alloc(300_000, "y");
  const events = await backup(...START, newArchive("16400.tar", location), copyData("d", data), ...END);
  expect(events[1]).toEqual({ type: "archive", name: "16400.tar", oid: 16400, location });
  const chunks = events.flatMap((event) => (event.type === "data" ? [event.chunk] : []));
  expect(chunks.length).toBeGreaterThan(1);
  expect(Buffer.concat(chunks).equals(data)).toBe(true);
});

test("damaged pages do not make a backup less whole; the warnings tell where they are", async () => {
  const events = await backup(
    ...START,
    newArchive("base.tar"),
    noticeResponse({
      M: 'checksum verification failed in file "./base/5/16384", block 3: calculated 1A2B but expected 3C4D',
    }),
    copyDone,
    position("0/2000100"),
    errorResponse({ C: "XX001", M: "checksum verification failure during base backup" }),
    ready,
  );
  expect(events.at(-1)).toMatchObject({
    type: "end",
    damaged: {
      message: "checksum verification failure during base backup",
      files: [{ path: "base/5/16384", blocks: [3] }],
    },
  });
});

describe("is not begun", () => {
  test.each<[string, Buffer[], string, string]>([
    [
      "where the server refuses",
      [errorResponse({ C: "55000", M: "WAL level not sufficient" }), ready],
      "SERVER_UNSUITABLE",
      "WAL level",
    ],
    ["without a position", [resultSet(["recptr", "tli"]), TABLESPACES], "SERVER_FAILED", "the server sent none"],
    [
      "with half a position",
      [resultSet(["recptr", "tli"], ["0/2000028", null])],
      "SERVER_FAILED",
      "the server sent none",
    ],
    ["without a copy stream", [position("0/2000028"), TABLESPACES, ready], "SERVER_FAILED", "unexpected 'Z'"],
    ["with data in the place of a result", [copyOut, copyData("d")], "SERVER_FAILED", "unexpected 'H'"],
  ])("%s", async (_, parts, code, fact) => {
    await expect(backup(...parts)).rejects.toMatchObject({ code, message: expect.stringContaining(fact) });
  });
});

describe("is incomplete", () => {
  const full = { C: "53100", M: "could not write: No space left on device" };
  test.each<[string, Buffer[], string]>([
    ["when data comes before the first archive", [copyData("d", Buffer.of(1))], "data came before the first archive"],
    ["when a message is of no known kind", [newArchive("base.tar"), copyData("x")], "unknown message kind 120"],
    [
      "when the server fails in the middle",
      [newArchive("base.tar"), errorResponse(full), ready],
      "No space left on device",
    ],
    ["when it fails where the end should stand", [copyDone, errorResponse(full), ready], "No space left on device"],
    [
      "when it fails behind the end",
      [copyDone, position("0/2000100"), errorResponse(full), ready],
      "No space left on device",
    ],
    [
      "when the connection goes behind the end",
      [copyDone, position("0/2000100"), errorResponse({ V: "FATAL", ...full })],
      "No space",
    ],
    ["when the end does not say where", [copyDone, resultSet(["recptr", "tli"]), ready], "the server sent none"],
    ["when more data comes behind the end", [copyDone, position("0/2000100"), copyData("d")], "unexpected copy data"],
    ["when something else comes in its place", [copyDone, ready], "unexpected 'Z'"],
    ["when a row is followed by no end", [copyDone, position("0/2000100").subarray(0, -12), ready], "unexpected 'Z'"],
    ["when nothing more comes", [newArchive("base.tar")], "the server closed the connection"],
  ])("%s", async (_, parts, fact) => {
    await expect(backup(...START, ...parts)).rejects.toMatchObject({
      code: "BACKUP_INCOMPLETE",
      message: expect.stringContaining(fact),
    });
  });

  test("and the server's own hint is handed on, in the stream and at its end", async () => {
    const failure = errorResponse({ ...full, H: "Check free disk space." });
    for (const parts of [[failure], [copyDone, failure]])
      await expect(backup(...START, ...parts)).rejects.toMatchObject({ hint: "Check free disk space." });
  });
});
