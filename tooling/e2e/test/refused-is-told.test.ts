import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const BINARIES = fileURLToPath(new URL("../../../apps", import.meta.url));
const COMMANDS = [
  ["base backup failed", "base-backup/bin/soar-base-backup.js", "take"],
  ["backup verification failed", "backup-verify/bin/soar-backup-verify.js", ""],
  ["restore drill failed", "backup-verify/bin/soar-backup-verify.js", "drill"],
] as const;

let directory: string;
let mail: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-refused-"));
  mail = join(directory, "mail");
  writeFileSync(join(directory, "sendmail"), `#!/bin/sh\ncat >> '${mail}'\n`, { mode: 0o755 });
  writeFileSync(join(directory, "no-directory"), "");
});
afterEach(() => rmSync(directory, { recursive: true }));

function run(
  program: string,
  command: string,
  settings: Readonly<Record<string, string>>,
  more: readonly string[] = [],
) {
  const words = [...(command === "" ? [] : [command]), ...more];
  return spawnSync(process.execPath, ["--", join(BINARIES, program), ...words], {
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      HOME: directory,
      BACKUP_ENV_FILE: "/dev/null",
      BACKUP_BUCKET: `file://${directory}/bucket`,
      BACKUP_TEMP_DIR: directory,
      BACKUP_NOTIFY_EMAIL: "dba@example.com",
      BACKUP_SENDMAIL: join(directory, "sendmail"),
      ...settings,
    },
  });
}

test.each(COMMANDS)("'%s' is mailed when the log file cannot be opened, which nobody is there to read", (...args) => {
  const [subject, program, command] = args;
  const { status, stderr } = run(program, command, { BACKUP_LOG_DIR: join(directory, "no-directory") });
  expect(status).toBe(21);
  expect(stderr).toContain("error: unable to open the log file");
  expect(readFileSync(mail, "utf8")).toMatch(
    new RegExp(`^Subject: .*: ${subject}$[^]*unable to open the log file`, "m"),
  );
});

test.each(COMMANDS)("'%s' is mailed when a setting is wrong, and when the bucket's is missing", (...args) => {
  const [subject, program, command] = args;
  for (const [settings, said] of [
    [{ BACKUP_RETRY_DEADLINE: "soon" }, "BACKUP_RETRY_DEADLINE"],
    [{ BACKUP_BUCKET: "" }, "BACKUP_BUCKET"],
  ] as const) {
    rmSync(mail, { force: true });
    expect(run(program, command, settings).status).toBe(10);
    expect(readFileSync(mail, "utf8")).toMatch(new RegExp(`^Subject: .*: ${subject}$[^]*${said}`, "m"));
  }
});

test("a report of a drill that cannot be looked at is no drill that failed", () => {
  const settings = { BACKUP_LOG_DIR: join(directory, "no-directory") };
  expect(run(COMMANDS[2][1], "drill", settings).status).toBe(21);
  rmSync(mail);
  expect(run(COMMANDS[2][1], "drill", settings, ["--check", join(directory, "report")]).status).toBe(21);
  expect(existsSync(mail)).toBe(false);
});

test("a mistyped flag is told to whoever typed it, and to nobody else", () => {
  expect(run(COMMANDS[0][1], "--no-such-flag", {}).status).toBe(64);
  expect(existsSync(mail)).toBe(false);
});
