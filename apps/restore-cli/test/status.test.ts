import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { runRestore } from "./run-restore.ts";

const SEGMENTS = ["000000010000000000000004", "000000010000000000000005"];
let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "soar-status-"));
  mkdirSync(join(dataDir, "soar-restore"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const record = {
  format: 1,
  phase: "recover",
  systemIdentifier: "7",
  backup: "2026-01-10",
  target: "time 2026-01-10 14:30:00+00",
  stopLsn: "0/6000148",
  timeline: 1,
  tablespaces: [],
  processId: 1,
  startedAt: "2026-01-10T15:00:00.000Z",
  logOffset: 0,
  recoveryBegunAt: "2026-01-10T15:00:01.000Z",
  fetchedBytes: 512,
  totalBytes: 1024,
};

/** What a restore leaves in its directory, as another terminal finds it. */
function status(change: object, ...args: readonly string[]): Promise<ProgramResult> {
  const write = (name: string, text: string): void => writeFileSync(join(dataDir, "soar-restore", name), text);
  write("restore.json", JSON.stringify({ ...record, ...change }));
  write(
    "lineage.json",
    JSON.stringify({
      format: 1,
      timeline: 1,
      systemIdentifier: "7",
      segmentSize: 2 ** 24,
      firstIndex: 4,
      segments: [],
    }),
  );
  write("server.log", SEGMENTS.map((name) => `LOG:  restored log file "${name}" from archive\n`).join(""));
  return runRestore(["status", "--data-dir", dataDir, ...args]);
}

test("a recovery is shown with position, commit time and segments, in 80 columns and for programs", async () => {
  const change = { replayedTime: "2026-01-10T14:12:13.456Z" };
  const { status: ended, stdout } = await status(change);
  expect(ended).toBe(0);
  const lines = stdout.trim().split("\n");
  expect(lines).toEqual([
    `data directory: ${dataDir}`,
    "base backup:    2026-01-10",
    "target:         time 2026-01-10 14:30:00+00, at 0/6000148",
    "phase:          replaying WAL",
    "replayed:       to 0/5000000 at least, 1 of 3 segments",
    "last commit:    2026-01-10T14:12:13.456Z, as far as it was looked for",
    expect.stringMatching(/^remaining: {6}about /),
    "process:        interrupted; give the same command again to go on",
  ]);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(JSON.parse((await status(change, "--json")).stdout)).toMatchObject({
    version: 1,
    phase: "recover",
    running: false,
    replayedLsn: "0/5000000",
    replayedTime: "2026-01-10T14:12:13.456Z",
    segments: { replayed: 1, total: 3 },
  });
});

test("a commit time that is not known yet is left out", async () => {
  expect((await status({})).stdout).not.toContain("last commit");
});

test("a download and the end of a restore have words of their own", async () => {
  expect((await status({ phase: "fetch" })).stdout).toMatch(
    /^phase: +fetching the backup\nfetched: +512 B of 1 KiB\nprocess:/m,
  );
  const finish = { phase: "finish", outcome: { timeline: 2, restoredFiles: 1 } };
  expect((await status(finish)).stdout).toMatch(
    /^phase: +recovery is over and proved; the server gets its own settings\nprocess:/m,
  );
});

test("what was there already is told of a download that compares", async () => {
  expect((await status({ phase: "fetch", sparedBytes: 256 })).stdout).toMatch(
    /^fetched: +512 B, and 256 B that were there already, of 1 KiB$/m,
  );
});

test("a restore that ended at its target as it was asked to is done, and not interrupted", async () => {
  const outcome = { kind: "shut-down", timeline: 1, restoredFiles: 1 };
  const atTarget = { phase: "at-target", action: "shutdown", outcome };
  writeFileSync(join(dataDir, "recovery.signal"), "");
  const { stdout } = await status(atTarget);
  expect(stdout).toMatch(/^phase: +done: recovery ended at the target\nserver: +is down; .*--target-action promote/m);
  expect(stdout).toMatch(/^process: +none: the restore has done what it was asked$/m);
  for (const line of stdout.trim().split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(JSON.parse((await status(atTarget, "--json")).stdout)).toMatchObject({
    phase: "at-target",
    server: "shut-down",
    targetAction: "shutdown",
  });
  rmSync(join(dataDir, "recovery.signal"));
  expect((await status(atTarget)).stdout).toMatch(/^server: +has left recovery; the same command finishes/m);
});

test("where nothing is restored it says so", async () => {
  expect(await runRestore(["status", "--data-dir", join(dataDir, "elsewhere")])).toMatchObject({
    status: 20,
    stderr: expect.stringContaining("no restore is in progress in") as string,
  });
});
