import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const LAUNCHER = fileURLToPath(new URL("../bin/soar-wal-archive", import.meta.url));
const RESTORE = fileURLToPath(new URL("../../restore-cli/bin/soar-restore.js", import.meta.url));
const NAME = "000000010000000000000007";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-believed-"));
  writeFileSync(join(directory, NAME), "the segment");
});
afterEach(() => rmSync(directory, { recursive: true }));

function run(program: string, words: readonly string[]) {
  return spawnSync(program, words, {
    cwd: directory,
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      BACKUP_BUCKET: `file://${directory}/bucket`,
      BACKUP_SPOOL_DIR: join(directory, "spool"),
      BACKUP_ENV_FILE: "/dev/null",
    },
  });
}

test.each(["--help", "-h", "--version", "--print-config", "--describe"])(
  "archive_command with %s beside a segment never says that it was archived",
  (flag) => {
    for (const words of [
      [flag, NAME, NAME],
      [NAME, flag, NAME],
      [NAME, NAME, flag],
      ["push", NAME, NAME, flag],
      ["--log-level", "debug", flag, NAME, NAME],
    ]) {
      const { status, stderr } = run(LAUNCHER, words);
      expect([status, words.join(" ")]).not.toEqual([0, words.join(" ")]);
      expect(status).toBeLessThanOrEqual(125);
      expect(stderr).toContain("error: ");
    }
    expect(readdirSync(directory)).toEqual([NAME]);
  },
);

test.each([
  ["help"],
  ["completion"],
  ["--get-yargs-completions"],
  ["--print-config=true"],
  ["status", "--help"],
  ["daemon", "--version"],
])("archive_command with %j before a segment never says that it was archived", (...before: readonly string[]) => {
  for (const path of [NAME, join(directory, NAME)]) {
    const { status, stdout } = run(LAUNCHER, [...before, path, NAME]);
    expect({ status, stdout }).toEqual({ status: 64, stdout: "" });
  }
  expect(readdirSync(directory)).toEqual([NAME]);
});

test("alone they are answered", () => {
  expect(run(LAUNCHER, ["--version"])).toMatchObject({ status: 0, stderr: "" });
  expect(run(LAUNCHER, ["push", "--help"])).toMatchObject({ status: 0, stderr: "" });
  expect(run(LAUNCHER, ["completion"])).toMatchObject({ status: 0, stderr: "" });
  expect(run(LAUNCHER, ["daemon", "--data-dir", directory, "--print-config"])).toMatchObject({ status: 0 });
});

test("restore_command with --help beside a segment stops recovery", () => {
  const { status } = run(process.execPath, ["--", RESTORE, "wal-fetch", "--help", NAME, "pg_wal/RECOVERYXLOG"]);
  expect(status).toBe(126);
  for (const word of ["help", "completion", "--print-config=true"]) {
    const words = ["--", RESTORE, word, "wal-fetch", NAME, "pg_wal/RECOVERYXLOG"];
    expect([word, run(process.execPath, words).status]).toEqual([word, 126]);
  }
});
