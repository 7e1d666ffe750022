import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimRepository } from "@soar/repository";
import { openStore } from "@soar/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { runRestore } from "./run-restore.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-restore-cli-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const run = (...args: string[]): Promise<ProgramResult> =>
  runRestore(args, { cwd: directory, env: { BACKUP_BUCKET: `file://${directory}` } });

/** Two lines for a person, no stack of a program. */
function expectRefusal(outcome: ProgramResult, status: number, message: RegExp, hint: RegExp): void {
  expect(outcome.status, outcome.stderr).toBe(status);
  expect(outcome.stdout).toBe("");
  const [error = "", advice = "", ...rest] = outcome.stderr.split("\n");
  expect(error).toMatch(message);
  expect(advice).toMatch(hint);
  expect(rest).toEqual([""]);
}

describe("help", () => {
  test.each([[[]], [["plan"]], [["list"]], [["wal-fetch"]]])(
    "of %j fits into 80 columns and costs nothing",
    async (words) => {
      const { status, stdout, stderr } = await runRestore([...words, "--help"], { env: { BACKUP_BUCKET: "no url" } });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      // Examples are there to be copied, so their lines are not broken.
      for (const line of stdout.split("\n"))
        if (!line.startsWith("  soar-restore")) expect(line.length, line).toBeLessThanOrEqual(80);
      expect(stdout).toMatch(/^Usage: soar-restore/);
    },
  );

  test("of wal-fetch tells its statuses, and every option", async () => {
    const { stdout } = await run("wal-fetch", "--help");
    expect(stdout).toMatchSnapshot();
  });

  test("names every command", async () => {
    expect((await run("--help")).stdout).toMatch(/^ {2}restore .*^ {2}plan .*^ {2}list .*^ {2}wal-fetch /ms);
  });
});

test("--version names the program", async () => {
  expect(await run("--version")).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^soar-restore \d+\.\d+\.\d+\n?$/),
    stderr: "",
  });
});

describe("a wrong command line is refused with 64 and what was meant:", () => {
  test.each<[string, readonly string[], RegExp, RegExp]>([
    ["an unknown option", ["--latst"], /unable to use '--latst': there is no such option/, /Did you mean '--latest'\?/],
    ["an unknown command", ["lst"], /unable to run 'lst': there is no such command/, /Did you mean 'list'\?/],
    ["no target", ["--data-dir", "/x"], /no target is named/, /--latest/],
    ["two targets", ["--latest", "--immediate"], /2 targets are named/, /exactly one/],
    ["three targets", ["--latest", "--target-xid", "7", "--target-name", "x"], /3 targets are named/, /exactly one/],
    [
      "an action where there is no target",
      ["--latest", "--target-action", "pause"],
      /--target-action pause goes with a target/,
      /instead of --latest/,
    ],
    ["a tablespace map that is none", ["--latest", "--tablespace-map", "/a"], /'\/a' as OLD=NEW/, /--tablespace-map/],
  ])("%s", async (_, args, message, hint) => {
    // Whatever is in the bucket: the command line is judged first.
    const store = openStore({ url: `file://${directory}` });
    await claimRepository(
      store,
      { systemIdentifier: "1", postgresMajor: 15, walSegmentSize: 16_777_216 },
      { toolVersion: "t", now: new Date(0) },
    );
    expectRefusal(await run(...args), 64, message, hint);
  });

  test("--exclusive without anything that it could mean", async () => {
    expect(await run("--latest", "--exclusive")).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("--exclusive goes with a time, an LSN or a transaction only"),
    });
  });

  test("an LSN that is none", async () => {
    expectRefusal(await run("--target-lsn", "5000148"), 90, /'5000148': it is no position in the WAL/, /0\/5000148/);
  });

  test.each([
    ["a time that is none", ["--target-time", "yesterday"]],
    ["a transaction that is none", ["--target-xid", "0"]],
    ["a port that is none", ["--latest", "--port", "70000"]],
    ["an action that is none", ["--latest", "--target-action", "explode"]],
    ["a label without its value", ["--latest", "--base-backup"]],
  ])("%s", async (_, args) => {
    const outcome = await run(...args);
    expect([10, 64, 90]).toContain(outcome.status);
    expect(outcome.stderr).toMatch(/^error: .*\nhint: .*\n$/);
  });
});

describe("without a repository", () => {
  test("every command says so, and where it looked", async () => {
    for (const args of [["list"], ["plan", "--latest"], ["--latest", "--yes"]])
      expectRefusal(await run(...args), 60, /there is no repository in 'file:\/\/.*'/, /BACKUP_BUCKET/);
  });

  test("a bucket that is not configured, or a directory that is not there, is another refusal", async () => {
    expect(await runRestore(["list"], { env: {} })).toMatchObject({
      status: 10,
      stderr: expect.stringContaining("BACKUP_BUCKET"),
    });
    expect(await runRestore(["list"], { env: { BACKUP_BUCKET: `file://${directory}/none` } })).toMatchObject({
      status: 36,
    });
  });

  test("an empty one lists no backup", async () => {
    await claimRepository(
      openStore({ url: `file://${directory}` }),
      { systemIdentifier: "1", postgresMajor: 15, walSegmentSize: 16_777_216 },
      { toolVersion: "t", now: new Date(0) },
    );
    expect(await run("list")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^There is no complete backup in file:/),
    });
    expect(JSON.parse((await run("list", "--json")).stdout)).toEqual([]);
    expectRefusal(
      await run("plan", "--latest"),
      65,
      /there is no complete backup in/,
      /soar-base-backup takes a backup/,
    );
  });
});

test("--print-config tells where each value comes from, and hides secrets", async () => {
  const { status, stdout } = await runRestore(["plan", "--latest", "--print-config"], {
    env: { BACKUP_BUCKET: "s3://soar-backup/one", AWS_SECRET_ACCESS_KEY: "not-for-eyes" },
  });
  expect(status).toBe(0);
  expect(stdout).toContain("s3://soar-backup/one");
  expect(stdout).not.toContain("not-for-eyes");
});
