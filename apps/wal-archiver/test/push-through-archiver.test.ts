import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { pushThroughArchiver } from "../src/push-through-archiver.ts";

/** Has an archiver that gives this answer archive a file; what is told of it to the server's log. */
async function push(answer: object): Promise<{ readonly status: number | undefined; readonly stderr: string }> {
  const directory = mkdtempSync(join(tmpdir(), "soar-through-"));
  const spool = join(directory, "spool");
  mkdirSync(spool, { mode: 0o700 });
  const server = createServer((socket) => {
    socket.once("data", () => socket.end(`${JSON.stringify(answer)}\n`));
  });
  await new Promise<void>((resolve) => void server.listen(join(spool, "socket"), resolve));
  chmodSync(join(spool, "socket"), 0o600);
  let stderr = "";
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  onTestFinished(async () => {
    spy.mockRestore();
    server.close();
    await rm(directory, { recursive: true });
  });
  const name = "000000010000000000000007";
  const status = await pushThroughArchiver([`pg_wal/${name}`, name], { BACKUP_SPOOL_DIR: spool });
  spy.mockRestore();
  return { status, stderr };
}

/** The words of whoever can write a gap's record. */
const HOSTILE = "because\r\n2026-01-10T02:00:00.123Z info  wal-archiver archived \u001b[2J\u001b]0;owned\u0007";

test("an archiver's warning is one line of the server's log, and moves nothing on a terminal", async () => {
  const { status, stderr } = await push({ done: { answer: "given up", logsArchive: true, warning: HOSTILE } });
  expect(status).toBe(0);
  expect(stderr).toMatch(/^\d{4}-\S+Z warn  wal-archiver because\\x0d\\n2026-\S+ info  [^\n]* \\x1b\[2J[^\n]*\\x07\n$/);
});

test("an archiver's failure begins no line that looks like another's", async () => {
  const failed = { code: "WAL_INVALID", message: HOSTILE, hint: HOSTILE, exitStatus: 12 };
  const { status, stderr } = await push({ failed });
  expect(status).toBe(12);
  expect(stderr.split("\n").map((line) => line.slice(0, 10))).toEqual([
    "error: bec",
    "  2026-01-",
    "hint: beca",
    "  2026-01-",
    "",
  ]);
  // oxlint-disable-next-line no-control-regex -- that none is left but line ends
  expect(stderr.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f]/);
});

test("what was archived is one line where it is asked for", async () => {
  const done = { answer: "archived", logsArchive: true };
  expect((await push({ done })).stderr).toMatch(
    /^\d{4}-\S+Z info  wal-archiver archived write-ahead log file "000000010000000000000007"\n$/,
  );
  expect((await push({ done: { ...done, logsArchive: false } })).stderr).toBe("");
});
