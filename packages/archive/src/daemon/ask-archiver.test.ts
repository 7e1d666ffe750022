import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { askArchiver, askStatus } from "./ask-archiver.ts";
import { LONGEST_LINE } from "./socket-protocol.ts";

/** Somebody of ours who listens where the archiver would, and says this to whatever is asked. */
async function listenWith(say: (socket: Socket) => void): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "soar-ask-"));
  const path = join(directory, "spool", "socket");
  mkdirSync(join(directory, "spool"), { mode: 0o700 });
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      asked += 1;
      say(socket);
    });
  });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  chmodSync(path, 0o600);
  onTestFinished(async () => {
    server.close();
    await rm(directory, { recursive: true });
  });
  return path;
}

let asked = 0;
beforeEach(() => void (asked = 0));

const PUSH = { directory: "/data/pg_wal", name: "000000010000000000000001" };

test.each<[string, string | Buffer]>([
  ["another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["null", "null\n"],
  ["a list", "[]\n"],
  ["a warning that is none", '{"done":{"answer":"archived","logsArchive":true,"warning":7}}\n'],
  ["a hint that is none", '{"failed":{"message":"m","hint":[],"exitStatus":5}}\n'],
  ["a number", "7\n"],
  ["bytes that are no text", Buffer.from([0xff, 0xfe, 0x0a])],
  ["an answer without its content", '{"done":{}}\n'],
  ["an answer of another shape", '{"done":null}\n'],
  ["a failure that is none", '{"failed":{"code":"X","message":"m","exitStatus":0}}\n'],
  ["a failure without its status", '{"failed":{}}\n'],
  ["a promise of nothing", '{"accepted":null}\n'],
  ["a message of another version", '{"later":{}}\n{"done":{"answer":"archived","logsArchive":false}}\n'],
  ["a line without end", "x".repeat(LONGEST_LINE + 1)],
  ["nothing", ""],
])("who answers with %s is no archiver, and the caller does the work itself", async (_, said) => {
  const path = await listenWith((socket) => void socket.end(said));
  expect(await askArchiver(path, PUSH)).toBeUndefined();
  expect(await askStatus(path)).toBeUndefined();
  expect(asked).toBe(2);
});

test("an archiver's own words are taken", async () => {
  const done = { answer: "archived", logsArchive: false };
  const failed = { code: "STORE_DENIED", message: "no", exitStatus: 32 };
  const say = async (text: string) => await listenWith((socket) => void socket.end(text));
  expect(await askArchiver(await say(`{"accepted":{"timeoutMs":1000}}\n${JSON.stringify({ done })}\n`), PUSH)).toEqual({
    done,
  });
  expect(await askArchiver(await say(`${JSON.stringify({ failed })}\n`), PUSH)).toEqual({ failed });
  expect(await askArchiver(await say('{"declined":"another bucket"}\n'), PUSH)).toBeUndefined();
  expect(await askStatus(await say('{"status":{"queueDepth":0}}\n'))).toEqual({ queueDepth: 0 });
});
