import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { applyLogEntry, emptyRecoveryLog } from "./recovery-log.ts";
import { decisiveEntries, fatalLines, LogFollower, parseLogLine, serverProcesses } from "./server-log.ts";

test("follows a log that grows in the middle of lines", async () => {
  const directory = await mkdtemp(join(tmpdir(), "soar-log-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "log");
  const follower = new LogFollower(path, 4);
  expect(await follower.read()).toEqual([]);
  await appendFile(path, "old\n2025-01-10 14:00:00.123 UTC [12] LOG:  redo sta");
  expect(await follower.read()).toEqual([]);
  await appendFile(
    path,
    "rts at 0/5000028\n2025-01-10 14:00:00.123 UTC [12] FATAL:  first\n\tsecond\ncp: no such file\n",
  );
  expect(await follower.read()).toEqual([
    { pid: 12, severity: "LOG", text: "redo starts at 0/5000028" },
    { pid: 12, severity: "FATAL", text: "first\nsecond" },
    { pid: undefined, severity: undefined, text: "cp: no such file" },
  ]);
});

test("tells the reason of a death from refusals of connections", () => {
  const line = (text: string): ReturnType<typeof parseLogLine> => parseLogLine(`2025-01-10 14:00:00.123 UTC ${text}`);
  const entries = [
    line("[3] FATAL:  the database system is starting up"),
    line("[2] FATAL:  could not locate required checkpoint record"),
    line("[2] HINT:  If you are restoring from a backup, touch it."),
    line("[1] LOG:  aborting startup"),
  ];
  expect(fatalLines(entries, decisiveEntries(entries, serverProcesses(entries, 1)))).toEqual([
    "FATAL: could not locate required checkpoint record",
    "HINT: If you are restoring from a backup, touch it.",
  ]);
});

test.each([
  ["2025-01-10 14:29:58.123456+05:30", "2025-01-10T08:59:58.123Z"],
  ["2025-01-10 14:29:58-08", "2025-01-10T22:29:58.000Z"],
  ["the day before yesterday", undefined],
])("reads the time of the last commit in any zone: %s", (time, expected) => {
  const log = emptyRecoveryLog();
  const entry = { pid: 1, severity: "LOG", text: `last completed transaction was at log time ${time}` };
  expect(applyLogEntry(log, entry)).toBeUndefined();
  expect(log.lastCommitTime?.toISOString()).toBe(expected);
});

test("a segment that recovery fetched twice is counted once, and a history is no segment", () => {
  const log = emptyRecoveryLog();
  const names = [
    "00000002.history",
    "000000010000000000000003",
    "000000010000000000000004",
    "000000010000000000000003",
  ];
  const counts = names.map((name) =>
    applyLogEntry(log, { pid: 1, severity: "LOG", text: `restored log file "${name}" from archive` }),
  );
  expect(counts).toEqual(names.map((name, at) => ({ type: "file-restored", name, count: Math.min(at, 2) })));
  expect(log).toMatchObject({ lastRestoredFile: "000000010000000000000003" });
  expect(log.restoredSegments.size).toBe(2);
});

test.each([
  ["pausing at the end of recovery", true],
  // By pg_wal_replay_pause(), or because max_connections is too small for the WAL: in the middle of it.
  ["recovery has paused", false],
])("of its pauses only the one at the target counts: %s", (text, paused) => {
  const log = emptyRecoveryLog();
  expect(applyLogEntry(log, { pid: 1, severity: "LOG", text })).toBeUndefined();
  expect(log.paused).toBe(paused);
});

test("what held recovery up does not once it was begun anew", () => {
  const log = emptyRecoveryLog();
  const text = "hot standby is not possible because of insufficient parameter settings";
  applyLogEntry(log, { pid: 1, severity: "WARNING", text });
  expect(log.heldUp).toBe(text);
  applyLogEntry(log, { pid: 2, severity: "LOG", text: "redo starts at 0/5000028" });
  expect(log.heldUp).toBeUndefined();
});
