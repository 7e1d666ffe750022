import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runAsServerUser, requires, serverUser } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askArchiver, askStatus } from "./ask-archiver.ts";
import { doubtOfDirectory, doubtOfSocket, doubtOfSocketPlace } from "./socket-trust.ts";
import { lockSpool } from "./spool-lock.ts";

let root: string;
let spool: string;
let socket: string;
let server: Server;
let asked: number;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "soar-trust-"));
  spool = join(root, "spool");
  socket = join(spool, "socket");
  mkdirSync(spool, { mode: 0o700 });
  asked = 0;
  // Says of everything that it is archived.
  server = createServer((connection) => {
    asked += 1;
    connection.end(`${JSON.stringify({ done: { answer: "archived", logsArchive: false } })}\n`);
    connection.resume();
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  chmodSync(socket, 0o600);
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

const push = { directory: "/pg_wal", name: "000000010000000000000001", repository: { bucket: "b", endpoint: "" } };

async function ask(): Promise<{ readonly answer: unknown; readonly doubts: string[] }> {
  const doubts: string[] = [];
  return { answer: await askArchiver(socket, push, { onDoubt: (doubt) => doubts.push(doubt) }), doubts };
}

test("an archiver of our own, in a directory that only we can write to, is asked", async () => {
  expect(await ask()).toEqual({ answer: { done: { answer: "archived", logsArchive: false } }, doubts: [] });
});

test("nobody is asked, and nothing said, where there is no spool or no socket", async () => {
  for (const path of [join(root, "nowhere", "socket"), join(spool, "nothing")]) {
    expect(doubtOfSocket(path)).toBeUndefined();
    expect(await askStatus(path)).toBeUndefined();
  }
});

describe("a socket that somebody else may have put there is not asked, and the reason is told:", () => {
  test.each([
    ["others may write to its directory", () => chmodSync(spool, 0o777), /others may write to '.*spool'/],
    ["others may write to it", () => chmodSync(socket, 0o666), /others may write to '.*socket'/],
    [
      "it is no socket",
      () => {
        rmSync(socket);
        writeFileSync(socket, "");
      },
      /is no socket/,
    ],
  ])("%s", async (_, make, doubt) => {
    make();
    const { answer, doubts } = await ask();
    expect(answer).toBeUndefined();
    expect(doubts).toEqual([expect.stringMatching(doubt)]);
    expect(asked).toBe(0);
  });

  test.each([
    ["the directory belongs to another user", () => chownSync(spool, 65534, 65534), /spool' belongs to user 65534/],
    ["it belongs to another user", () => chownSync(socket, 65534, 65534), /socket' belongs to user 65534/],
  ])("%s", requires("root"), async (_, make, doubt) => {
    // As the user who runs archive_command, to whom the rest belongs.
    chmodSync(root, 0o755);
    for (const path of [spool, socket]) chownSync(path, serverUser().uid, serverUser().gid);
    make();
    if (doubt.source.includes("spool")) chmodSync(spool, 0o755);
    const script = `import { doubtOfSocket } from ${JSON.stringify(new URL("socket-trust.ts", import.meta.url).href)};
      console.log(doubtOfSocket(${JSON.stringify(socket)}));`;
    const { stdout } = await runAsServerUser(process.execPath, ["--input-type=module", "-e", script]);
    expect(stdout).toMatch(doubt);
  });

  test("root is led to one by a directory that another user made where everybody may", requires("root"), () => {
    chmodSync(root, 0o1777);
    for (const path of [spool, socket]) chownSync(path, 65534, 65534);
    expect(doubtOfSocket(socket)).toMatch(/others may write to/);
  });
});

describe("the archiver does not use a spool", () => {
  test("that others may write to", async () => {
    chmodSync(spool, 0o777);
    expect(doubtOfDirectory(spool)).toMatch(/others may write/);
    expect(doubtOfSocketPlace(spool)).toMatch(/others may write/);
    chmodSync(spool, 0o1777);
    expect(doubtOfSocketPlace(spool)).toBeUndefined();
    await expect(lockSpool(spool)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`unable to use '${spool}' for the archiver's files: others may write`) as string,
    });
  });
});
