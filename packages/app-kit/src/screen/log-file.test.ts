import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LARGEST_LOG_BYTES, openLogFile } from "./log-file.ts";
import { KEPT_LOGS } from "./rotate-log.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-log-file-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("lines are appended to backup.log, behind what others wrote", () => {
  const file = openLogFile(directory);
  file.append("one");
  appendFileSync(file.path, "by another process\n");
  file.append("two");
  expect(readFileSync(path.join(directory, "backup.log"), "utf8")).toBe("one\nby another process\ntwo\n");
});

test("a log file that logrotate moved away is begun anew", () => {
  const file = openLogFile(directory);
  file.append("one");
  renameSync(file.path, `${file.path}.1`);
  file.append("two");
  expect([readFileSync(`${file.path}.1`, "utf8"), readFileSync(file.path, "utf8")]).toEqual(["one\n", "two\n"]);
});

test("a log file that nobody moves away is put aside when it is long, and the oldest of those go", async () => {
  const file = openLogFile(directory);
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

test("the directory is made", () => {
  const file = openLogFile(path.join(directory, "var", "log", "soar"));
  expect(statSync(file.path).mode & 0o007).toBe(0);
});

test("a symbolic link in the place of the log is refused, so that root writes to nobody's choice of file", () => {
  writeFileSync(path.join(directory, "victim"), "");
  symlinkSync(path.join(directory, "victim"), path.join(directory, "backup.log"));
  expect(() => openLogFile(directory)).toThrow(
    expect.objectContaining({ code: "FILE_UNWRITABLE", message: expect.stringContaining("ELOOP") }),
  );
});

test("a directory that is none is FILE_UNWRITABLE", () => {
  writeFileSync(path.join(directory, "file"), "");
  expect(() => openLogFile(path.join(directory, "file"))).toThrow(
    expect.objectContaining({ code: "FILE_UNWRITABLE", hint: expect.stringContaining("BACKUP_LOG_DIR") }),
  );
});
