import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountSmallDisk, requires, serverUser } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { examine, type Examination } from "./examination.ts";
import { examineWrittenPlaces } from "./examine-written-places.ts";
import type { WrittenPlace } from "./program-settings.ts";

const user = process.getuid?.() === 0 ? serverUser() : undefined;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-places-"));
  give(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

function give(path: string): void {
  if (user !== undefined) chownSync(path, user.uid, user.gid);
}

function make(name: string, { ours = true } = {}): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true, mode: 0o755 });
  if (ours) give(path);
  return path;
}

async function look(kind: WrittenPlace["kind"], path: string): Promise<Examination | undefined> {
  const place = { kind, variable: "BACKUP_X", path, writer: "soar-x" };
  const options = { user, searchPath: "", signal: undefined };
  const seen = await examine("machine", (notes) => examineWrittenPlaces([place], notes, options));
  expect(seen).toHaveLength(1);
  return seen[0];
}

const telling = (kind: string, severity: Examination["severity"], reason: string) => ({
  kind,
  severity,
  what: expect.stringContaining(reason) as string,
  advice: expect.stringMatching(/\.$/) as string,
});

test("places that can be written are well, those that will be made too, and nothing is left in them", async () => {
  const there = make("there");
  writeFileSync(join(there, "backup.log"), "");
  give(join(there, "backup.log"));
  expect(await look("metrics", join(there, "x.prom"))).toMatchObject({ kind: "metrics-written", severity: "ok" });
  expect(await look("log", there)).toMatchObject({ kind: "log-written", severity: "ok" });
  expect(await look("state", there)).toMatchObject({ kind: "state-written", severity: "ok" });
  expect(await look("log", join(there, "not", "yet"))).toMatchObject({ severity: "ok" });
  expect(readdirSync(there)).toEqual(["backup.log"]);
});

test("a directory that belongs to somebody else", requires("root"), async () => {
  const others = make("others", { ours: false });
  const reason = "Permission denied";
  expect(await look("metrics", join(others, "x.prom"))).toMatchObject(telling("metrics-unwritable", "warning", reason));
  expect(await look("log", others)).toMatchObject(telling("log-unwritable", "error", reason));
  expect(await look("state", others)).toMatchObject(telling("state-unwritable", "warning", reason));
  const none = `there is no directory '${others}/none', and it cannot be made in '${others}'`;
  expect(await look("log", join(others, "none"))).toMatchObject(telling("log-missing", "warning", none));
  expect(await look("state", join(others, "none"))).toMatchObject(telling("state-missing", "notice", none));
});

describe("a name that is", () => {
  test("in no directory: nobody makes the collector's", async () => {
    const path = join(directory, "node-exporter", "x.prom");
    expect(await look("metrics", path)).toMatchObject(
      telling("metrics-missing", "warning", `there is no directory '${directory}/node-exporter'`),
    );
  });

  test("taken by a directory, or below a file", async () => {
    expect(await look("metrics", make("x.prom"))).toMatchObject(
      telling("metrics-unwritable", "warning", "x.prom' is a directory"),
    );
    writeFileSync(join(directory, "file"), "");
    for (const kind of ["metrics", "log", "state"] as const)
      expect((await look(kind, join(directory, "file", "below")))?.what).toContain("file' is no directory");
  });

  test("taken by a backup.log that runs may not append to, or would not follow", async () => {
    const log = make("log");
    symlinkSync(join(directory, "elsewhere"), join(log, "backup.log"));
    expect(await look("log", log)).toMatchObject(telling("log-unwritable", "error", "is no ordinary file"));
  });

  test("taken by root's backup.log", requires("root"), async () => {
    const log = make("log");
    writeFileSync(join(log, "backup.log"), "", { mode: 0o644 });
    expect(await look("log", log)).toMatchObject(telling("log-unwritable", "error", "may not be written"));
  });
});

test("a disk that is full", requires("mount"), async () => {
  using disk = mountSmallDisk(1);
  writeFileSync(join(disk.path, "filler"), Buffer.alloc(1024 * 1024));
  expect(await look("metrics", join(disk.path, "x.prom"))).toMatchObject(
    telling("metrics-unwritable", "warning", "No space left on device"),
  );
  expect(readdirSync(disk.path)).toEqual(["filler"]);
});
