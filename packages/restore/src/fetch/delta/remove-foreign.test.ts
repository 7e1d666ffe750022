import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArchiveOutline } from "@soar/seekable-tar";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeForeign } from "./remove-foreign.ts";

let root: string;
const inRoot = (...path: readonly string[]): string => join(root, ...path);
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-foreign-"));
  for (const directory of ["data/base/1", "data/pg_wal", "data/soar-restore", "elsewhere"])
    mkdirSync(inRoot(directory), { recursive: true });
  for (const file of [
    "data/PG_VERSION",
    "data/base/1/1259",
    "data/base/1/2000",
    "data/pg_wal/old",
    "data/soar-restore/log",
    "elsewhere/precious",
  ])
    writeFileSync(inRoot(file), "x");
});
afterEach(() => rmSync(root, { recursive: true }));

const archive = {
  entries: [
    { path: "PG_VERSION", type: "file" },
    { path: "base/1/1259", type: "file" },
    { path: "pg_wal/", type: "directory" },
    { path: "global", type: "directory" },
  ],
} as unknown as ArchiveOutline;

test("what the archive does not have is removed, what it has or is kept stays", async () => {
  expect(await removeForeign(inRoot("data"), archive, { keep: new Set(["soar-restore"]) })).toBe(2);
  const left = readdirSync(inRoot("data"), { recursive: true, encoding: "utf8" });
  expect(left.sort()).toEqual([
    "PG_VERSION",
    "base",
    "base/1",
    "base/1/1259",
    "pg_wal",
    "soar-restore",
    "soar-restore/log",
  ]);
});

test("a link is removed and what it leads to stays, also where the archive has a directory", async () => {
  rmSync(inRoot("data/pg_wal"), { recursive: true });
  for (const link of ["pg_wal", "global", "base/link"]) symlinkSync(inRoot("elsewhere"), inRoot("data", link));
  await removeForeign(inRoot("data"), archive, { keep: new Set(["soar-restore"]) });
  expect(readdirSync(inRoot("data")).sort()).toEqual(["PG_VERSION", "base", "soar-restore"]);
  expect(existsSync(inRoot("elsewhere/precious"))).toBe(true);
});

test("names that are not ours stay, in a directory that is shared", async () => {
  mkdirSync(inRoot("data/PG_14_1"));
  await removeForeign(inRoot("data"), archive, { keep: new Set(), isOurs: (name) => name === "base" });
  expect(readdirSync(inRoot("data")).sort()).toEqual(["PG_14_1", "PG_VERSION", "base", "pg_wal", "soar-restore"]);
  expect(readdirSync(inRoot("data/base/1"))).toEqual(["1259"]);
});
