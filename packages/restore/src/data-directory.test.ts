import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createDataDirectory,
  freeBytesAt,
  inspectDataDirectory,
  requireRestorable,
  RESTORE_STATE_DIRECTORY,
  type DataDirectoryState,
} from "./data-directory.ts";

let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-directory-"));
  directory = join(root, "data");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function fill(...files: readonly string[]): void {
  for (const file of files) {
    mkdirSync(join(directory, file, ".."), { recursive: true });
    writeFileSync(join(directory, file), "x");
  }
}

/** The process id of a process that has ended. */
const deadPid = () => Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }));

describe("what lies in a directory", () => {
  test("is nothing, or nothing of interest", async () => {
    expect(await inspectDataDirectory(directory)).toEqual({ state: "absent" });
    mkdirSync(directory);
    expect(await inspectDataDirectory(directory)).toEqual({ state: "empty" });
    mkdirSync(join(directory, "lost+found"));
    expect(await inspectDataDirectory(directory)).toEqual({ state: "empty" });
  });

  test("is something else", async () => {
    fill("letter.txt");
    expect(await inspectDataDirectory(directory)).toEqual({ state: "other", example: "letter.txt" });
  });

  test("is what an interrupted restore left, as long as there is no pg_control", async () => {
    fill(`${RESTORE_STATE_DIRECTORY}/lineage.json`, "base/1/1259", "backup_label");
    expect(await inspectDataDirectory(directory)).toEqual({ state: "interrupted" });
  });

  test("is what is left of a cluster without its pg_control, or with a damaged one, as long as its version can be told", async () => {
    fill("PG_VERSION", "base/1/1259", "global/1262");
    writeFileSync(join(directory, "PG_VERSION"), "15\n");
    expect(await inspectDataDirectory(directory)).toEqual({ state: "remains", postgresMajor: 15 });
    fill("global/pg_control");
    expect(await inspectDataDirectory(directory)).toEqual({ state: "remains", postgresMajor: 15 });
    writeFileSync(join(directory, "PG_VERSION"), "fifteen\n");
    await expect(inspectDataDirectory(directory)).rejects.toMatchObject({ code: "FORMAT_INVALID" });
    rmSync(join(directory, "global", "pg_control"));
    expect(await inspectDataDirectory(directory)).toMatchObject({ state: "other" });
  });

  test("is a running server, also of another user; a dead one's pid file says nothing", async () => {
    fill("PG_VERSION");
    const [child, another] = [spawn("cat", { cwd: directory }), spawn("cat", { cwd: "/" })];
    try {
      writeFileSync(join(directory, "postmaster.pid"), `${child.pid}\n${directory}\n`);
      expect(await inspectDataDirectory(directory)).toEqual({ state: "running", processId: child.pid });
      // Ids are given out again: a process that works elsewhere is not this directory's. A text that is no number is no id.
      for (const text of [`${deadPid()}\n`, `${another.pid}\n`, "1\n", "x\n", ""]) {
        writeFileSync(join(directory, "postmaster.pid"), text);
        expect(await inspectDataDirectory(directory), JSON.stringify(text)).toMatchObject({ state: "other" });
      }
    } finally {
      child.kill();
      another.kill();
    }
  });

  test("that is a file, or that cannot be told, is an error and not nothing", async () => {
    writeFileSync(directory, "");
    await expect(inspectDataDirectory(directory)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: `unable to look into '${directory}': it is not a directory`,
    });
    rmSync(directory);
    mkdirSync(join(directory, "postmaster.pid"), { recursive: true });
    await expect(inspectDataDirectory(directory)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("unable to tell whether a server runs on"),
    });
    rmSync(directory, { recursive: true });
    mkdirSync(join(directory, "global", "pg_control"), { recursive: true });
    await expect(inspectDataDirectory(directory)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("unable to tell which cluster lies in"),
    });
    rmSync(directory, { recursive: true });
    fill("global/pg_control");
    await expect(inspectDataDirectory(directory)).rejects.toMatchObject({ code: "FORMAT_INVALID" });
  });
});

describe("a restore is", () => {
  const judge = (found: DataDirectoryState) => () => requireRestorable("/d", found);

  test("allowed where nothing is, and where one was interrupted", () => {
    expect(judge({ state: "absent" })).not.toThrow();
    expect(judge({ state: "empty" })).not.toThrow();
    expect(judge({ state: "interrupted" })).not.toThrow();
  });

  test.each<[DataDirectoryState, string, RegExp]>([
    [
      { state: "running", processId: 7, systemIdentifier: "1", postgresMajor: 15 },
      "SERVER_RUNNING",
      /pg_ctl -D '\/d' stop/,
    ],
    [
      { state: "cluster", systemIdentifier: "1", postgresMajor: 15 },
      "DIRECTORY_NOT_EMPTY",
      /mv '\/d' '\/d\.before-restore'/,
    ],
    [{ state: "remains", postgresMajor: 15 }, "DIRECTORY_NOT_EMPTY", /mv '\/d' '\/d\.before-restore'/],
    [{ state: "other", example: "x" }, "DIRECTORY_FOREIGN", /empty directory/],
  ])("refused for %j, with the command that helps", (found, code, hint) => {
    expect(judge(found)).toThrow(expect.objectContaining({ code, hint: expect.stringMatching(hint) }));
  });

  test("never told to remove a directory that may hold data of its own", () => {
    for (const found of [
      { state: "cluster", systemIdentifier: "1", postgresMajor: 15 },
      { state: "remains", postgresMajor: 15 },
      { state: "other", example: "x" },
    ] as const) {
      expect(judge(found)).toThrow(expect.objectContaining({ hint: expect.not.stringMatching(/\brm\b/) }));
    }
  });
});

describe("a data directory", () => {
  test("is made with the mode that PostgreSQL demands, also where an empty one is there", async () => {
    await createDataDirectory(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    chmodSync(directory, 0o755);
    await createDataDirectory(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test("is not made together with its parents: a typing error must not create a tree", async () => {
    await expect(createDataDirectory(join(directory, "deeper"))).rejects.toMatchObject({
      code: "FILE_UNWRITABLE",
      message: expect.stringContaining("its parent directory does not exist"),
    });
    expect(existsSync(directory)).toBe(false);
  });

  test("has the room of the file system that will hold it", async () => {
    const free = await freeBytesAt(join(directory, "a", "b"));
    expect(free).toBeGreaterThan(0);
    expect(Math.abs(free - (await freeBytesAt(root)))).toBeLessThan(1024 ** 3);
  });
});
