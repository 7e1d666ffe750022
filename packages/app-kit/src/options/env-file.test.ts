import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isPrivate, isTrustedOwner, readEnvFile } from "./env-file.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-env-file-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string | Buffer, mode = 0o600): string {
  const file = path.join(directory, name);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

test("gives each variable its last value and where it stands", () => {
  const file = write("good", 'export A="1"\nB=2\nA=3\n');
  expect(readEnvFile(file, { isNamed: true })).toEqual({
    path: file,
    isOwn: true,
    entries: new Map([
      ["A", { value: "3", line: 3 }],
      ["B", { value: "2", line: 2 }],
    ]),
  });
});

test("a symbolic link is followed, and what it points to is judged", () => {
  const link = path.join(directory, "link");
  symlinkSync(write("target", "A=1"), link);
  expect(readEnvFile(link, { isNamed: true })?.entries.get("A")?.value).toBe("1");
  chmodSync(path.join(directory, "target"), 0o644);
  expect(() => readEnvFile(link, { isNamed: true })).toThrow(expect.objectContaining({ code: "ENV_FILE_UNSAFE" }));
});

test.each([0o640, 0o604, 0o660, 0o602, 0o644, 0o700 | 0o010])(
  "mode %o is refused with the command that repairs it",
  (mode) => {
    const file = write(`mode-${mode}`, "A=1", mode);
    expect(() => readEnvFile(file, { isNamed: true })).toThrow(
      expect.objectContaining({ code: "ENV_FILE_UNSAFE", hint: `It holds credentials. Run: chmod 600 ${file}` }),
    );
  },
);

test.each([
  ["our own", 1000, { ours: 1000, postgres: 26 }, true],
  ["root's, read by somebody", 0, { ours: 1000, postgres: 26 }, true],
  ["postgres', read by root", 26, { ours: 0, postgres: 26 }, true],
  ["postgres', read by somebody", 26, { ours: 1000, postgres: 26 }, false],
  ["somebody's, read by root", 1000, { ours: 0, postgres: 26 }, false],
  ["somebody's, read by root where no postgres exists", 1000, { ours: 0, postgres: undefined }, false],
])("a file that is %s: trusted is %4$s", (_, uid, { ours, postgres }, expected) => {
  expect(isTrustedOwner(uid, { ours, postgres: () => postgres })).toBe(expected);
});

test("a missing default is no env file, a missing named one an error", () => {
  const file = path.join(directory, "nowhere", "backup-env");
  expect(readEnvFile(file, { isNamed: false })).toBeUndefined();
  expect(() => readEnvFile(file, { isNamed: true })).toThrow(
    expect.objectContaining({ code: "ENV_FILE_MISSING", message: `unable to open '${file}': it does not exist` }),
  );
});

test("/dev/null is an env file without anything in it", () => {
  expect(readEnvFile("/dev/null", { isNamed: true })).toBeUndefined();
});

test("a directory, a pipe and a huge file are refused without being read", () => {
  const pipe = path.join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const huge = write("huge", "");
  truncateSync(huge, 2 ** 30);
  for (const [file, fact] of [
    [directory, "regular file"],
    [pipe, "regular file"],
    [huge, "larger than 1 MiB"],
  ] as const) {
    expect(() => readEnvFile(file, { isNamed: true })).toThrow(
      expect.objectContaining({ code: "ENV_FILE_UNSAFE", message: expect.stringContaining(fact) }),
    );
  }
});

test("a file that is not UTF-8 is refused", () => {
  const file = write("latin1", Buffer.from([0x41, 0x3d, 0xe4, 0x0a]));
  expect(() => readEnvFile(file, { isNamed: true })).toThrow(
    expect.objectContaining({ code: "ENV_FILE_INVALID", message: expect.stringContaining("not UTF-8") }),
  );
});

test("what root owns may be read by a group of ours, as secrets are mounted, and by nobody else", () => {
  const ours = process.getegid?.() ?? 0;
  const judge = (mode: number, uid: number, gid: number) =>
    isPrivate({ mode: 0o100000 | mode, uid, gid }, () => [ours]);
  expect(judge(0o440, 0, ours)).toBe(true);
  expect(judge(0o640, 0, ours)).toBe(true);
  expect(judge(0o600, 12_345, 12_345)).toBe(true);
  expect(judge(0o440, 0, ours + 1)).toBe(false);
  expect(judge(0o440, 12_345, ours)).toBe(false);
  for (const mode of [0o444, 0o460, 0o442, 0o450]) expect(judge(mode, 0, ours), mode.toString(8)).toBe(false);
});
