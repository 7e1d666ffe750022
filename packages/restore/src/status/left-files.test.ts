import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findDifference, surveyFiles, type LeftFiles } from "./left-files.ts";

let root: string;
const inRoot = (...names: readonly string[]): string => join(root, ...names);
const places = () => ({ dataDir: inRoot("data"), tablespaces: [inRoot("space")] });
let left: LeftFiles;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "soar-left-"));
  for (const directory of ["data/base/1", "data/global", "data/soar-restore/socket", "space/PG_15/1", "wal"])
    mkdirSync(inRoot(directory), { recursive: true });
  for (const file of [
    "data/base/1/1259",
    "data/global/pg_control",
    "space/PG_15/1/2000",
    "wal/000000010000000000000001",
  ])
    writeFileSync(inRoot(file), "as it was left");
  symlinkSync(inRoot("wal"), inRoot("data/pg_wal"));
  left = await surveyFiles(places());
});
afterEach(() => rmSync(root, { recursive: true }));

test("what nobody has written to is as it was left, whatever the restore itself or an operator keeps beside it", async () => {
  writeFileSync(inRoot("data/soar-restore/restore.json"), "{}");
  writeFileSync(inRoot("data/soar-restore/socket/server.pid"), "1");
  // What was missing on this host, and a setting that kept the server from starting.
  writeFileSync(inRoot("data/server.key"), "a key");
  writeFileSync(inRoot("data/postgresql.conf"), "port = 1");
  expect(left.files).toBe(5);
  expect(await findDifference(left, places())).toBeUndefined();
});

test.each<[string, string, () => void]>([
  ["bytes of the same length", "base/1/1259", () => writeFileSync(inRoot("data/base/1/1259"), "AS IT WAS LEFT")],
  [
    "bytes whose times were set back",
    "base/1/1259",
    () => {
      writeFileSync(inRoot("data/base/1/1259"), "AS IT WAS LEFT");
      utimesSync(inRoot("data/base/1/1259"), 1, 1);
    },
  ],
  ["a mode", "base/1/1259", () => chmodSync(inRoot("data/base/1/1259"), 0o600)],
  ["a file of a tablespace", "PG_15/1/2000", () => writeFileSync(inRoot("space/PG_15/1/2000"), "")],
  [
    "WAL behind a link",
    "wal/000000010000000000000001",
    () => writeFileSync(inRoot("wal/000000010000000000000001"), ""),
  ],
  ["a file that came", "base/1/1260", () => writeFileSync(inRoot("data/base/1/1260"), "")],
  ["a file that went", "4 files where 5 were left", () => rmSync(inRoot("data/base/1/1259"))],
])("%s is noticed: %s", async (_what, detail, change) => {
  change();
  expect(await findDifference(left, places())).toEqual({
    kind: "changed",
    detail: expect.stringContaining(detail) as string,
  });
});

test("a server that was started there has written another pg_control, whatever else it changed", async () => {
  writeFileSync(inRoot("data/global/pg_control"), "of a server");
  writeFileSync(inRoot("data/base/1/1259"), "of a server");
  expect(await findDifference(left, places())).toEqual({ kind: "used" });
});

test("somebody who goes on writing there is not waited for", async () => {
  const write = (): void => writeFileSync(inRoot("data/base/1/1259"), String(Math.random()));
  write();
  const writing = setInterval(write, 2);
  try {
    expect((await surveyFiles(places())).files).toBe(5);
  } finally {
    clearInterval(writing);
  }
});
