import {
  appendFileSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LARGEST_LOG_BYTES, openLogFile } from "./log-file.ts";
import { KEPT_LOGS } from "./rotate-log.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-log-file-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("lines are appended to backup.log, behind what others wrote", async () => {
  await using file = await openLogFile(directory);
  file.append("one");
  appendFileSync(file.path, "by another process\n");
  file.append("two");
  expect(readFileSync(path.join(directory, "backup.log"), "utf8")).toBe("one\nby another process\ntwo\n");
});

test("a log file that logrotate moved away is begun anew", async () => {
  await using file = await openLogFile(directory);
  file.append("one");
  renameSync(file.path, `${file.path}.1`);
  file.append("two");
  expect([readFileSync(`${file.path}.1`, "utf8"), readFileSync(file.path, "utf8")]).toEqual(["one\n", "two\n"]);
});

test("a log file that nobody moves away is put aside when it is long, and the oldest of those go", async () => {
  await using file = await openLogFile(directory);
  const aside = (): string[] => readdirSync(directory).filter((name) => name !== "backup.log");
  for (let round = 1; round <= KEPT_LOGS + 2; round += 1) {
    writeFileSync(path.join(directory, `backup.log.2025010${round}T000000Z-1`), `${round}`);
    truncateSync(file.path, LARGEST_LOG_BYTES);
    file.append("the last line of this one");
    await expect.poll(() => statSync(file.path, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
    file.append(`line ${round}`);
    await expect.poll(() => aside().length).toBeLessThanOrEqual(KEPT_LOGS);
  }
  expect(readFileSync(file.path, "utf8")).toBe(`line ${KEPT_LOGS + 2}\n`);
  expect(aside()).not.toContain("backup.log.20250101T000000Z-1");
});

test("the directory of a log file is closed with it, and not when it is forgotten", async () => {
  const isOpen = (): boolean =>
    readdirSync("/proc/self/fd").some((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === directory;
      } catch {
        return false;
      }
    });
  const file = await openLogFile(directory);
  file.append("one");
  await file[Symbol.asyncDispose]();
  expect(isOpen()).toBe(false);
});

test("the directory is made", async () => {
  await using file = await openLogFile(path.join(directory, "var", "log", "soar"));
  expect(statSync(file.path).mode & 0o007).toBe(0);
});

test("a symbolic link in the place of the log is refused, so that root writes to nobody's choice of file", async () => {
  writeFileSync(path.join(directory, "victim"), "");
  symlinkSync(path.join(directory, "victim"), path.join(directory, "backup.log"));
  await expect(openLogFile(directory)).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    message: expect.stringContaining("ELOOP"),
  });
});

test("a directory that is none is FILE_UNWRITABLE", async () => {
  writeFileSync(path.join(directory, "file"), "");
  await expect(openLogFile(path.join(directory, "file"))).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    hint: expect.stringContaining("BACKUP_LOG_DIR"),
  });
});

test(
  "root appends to no file and in no directory that the log directory's user has put there",
  requires("root"),
  async () => {
    const [theirs, victim] = [path.join(directory, "theirs"), path.join(directory, "victim")];
    mkdirSync(theirs);
    mkdirSync(path.join(directory, "ours"));
    writeFileSync(victim, "");
    chownSync(theirs, 65534, 65534);
    await using file = await openLogFile(theirs);
    expect(statSync(file.path)).toMatchObject({ uid: 65534, gid: 65534 });
    file.append("one");
    rmSync(file.path);
    linkSync(victim, file.path);
    expect(() => file.append("two")).toThrow("another file in its place");
    await expect(openLogFile(theirs)).rejects.toMatchObject({
      message: expect.stringContaining("another name") as string,
    });
    renameSync(theirs, `${theirs}.aside`);
    symlinkSync(path.join(directory, "ours"), theirs);
    expect(() => file.append("three")).toThrow("another file in its place");
    symlinkSync(path.join(directory, "ours"), path.join(`${theirs}.aside`, "log"));
    lchownSync(path.join(`${theirs}.aside`, "log"), 65534, 65534);
    await expect(openLogFile(path.join(`${theirs}.aside`, "log"))).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
    expect(readdirSync(path.join(directory, "ours"))).toEqual([]);
    expect(readFileSync(victim, "utf8")).toBe("");
  },
);
