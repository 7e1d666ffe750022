import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mountUponItself, requires } from "@soar-tooling/test-bench";
import { keepOldData, requireKeepable, takeOldPlace } from "./keep-old-data.ts";
import { listKept, writeKeptRecord } from "../status/kept-record.ts";

let root: string;
let dataDir: string;
const inRoot = (...path: readonly string[]): string => join(root, ...path);
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "soar-keep-")));
  dataDir = inRoot("data");
  for (const directory of ["data/pg_tblspc", "data/base", "wal", "fast", "slow"])
    mkdirSync(inRoot(directory), { recursive: true, mode: 0o750 });
  for (const file of ["data/base/1", "wal/000000010000000000000001", "fast/rows", "slow/rows"])
    writeFileSync(inRoot(file), file);
  symlinkSync(inRoot("wal"), inRoot("data/pg_wal"));
  symlinkSync(inRoot("fast"), inRoot("data/pg_tblspc/16384"));
  symlinkSync(inRoot("slow"), inRoot("data/pg_tblspc/16385"));
});
afterEach(() => rmSync(root, { recursive: true }));

const options = {
  systemIdentifier: "7",
  tablespacePlaces: new Set<string>(),
  now: new Date("2026-01-10T14:30:00.123Z"),
};
const keep = () => keepOldData(dataDir, { ...options, tablespacePlaces: new Set([inRoot("fast")]) });
const KEPT = "data.before-restore-20260110T143000Z";

function expectKeptWhole(): void {
  expect(existsSync(dataDir)).toBe(false);
  expect(readFileSync(inRoot(KEPT, "pg_wal", "000000010000000000000001"), "utf8")).toBe("wal/000000010000000000000001");
  expect(readFileSync(inRoot(KEPT, "pg_tblspc/16384/rows"), "utf8")).toBe("fast/rows");
  expect(readFileSync(inRoot(KEPT, "base/1"), "utf8")).toBe("data/base/1");
  expect(existsSync(inRoot("wal"))).toBe(false);
  expect(existsSync(inRoot("fast"))).toBe(false);
}

describe("old data", () => {
  test("is put aside whole, with what belongs to it elsewhere, as far as the places are needed again", async () => {
    expect((await keep()).keptAs).toBe(inRoot(KEPT));
    expectKeptWhole();
    // A tablespace that is mapped elsewhere keeps its place.
    expect(readlinkSync(inRoot(KEPT, "pg_tblspc/16385"))).toBe(inRoot("slow"));
    expect((await listKept(dataDir)).map(({ systemIdentifier }) => systemIdentifier)).toEqual(["7"]);
  });

  test.each<[string, () => void]>([
    ["nothing but its record is there", () => undefined],
    [
      "a directory was renamed, and the link to it leads nowhere",
      () => renameSync(inRoot("wal"), inRoot("wal.before-restore-20260110T143000Z")),
    ],
    [
      "everything is there but the last name",
      () => {
        for (const [name, link] of [
          ["wal", "pg_wal"],
          ["fast", "pg_tblspc/16384"],
        ] as const) {
          renameSync(inRoot(name), inRoot(`${name}.before-restore-20260110T143000Z`));
          rmSync(inRoot("data", link));
          symlinkSync(inRoot(`${name}.before-restore-20260110T143000Z`), inRoot("data", link));
        }
      },
    ],
  ])("that was interrupted when %s goes on under the same names, whatever the time", async (_, interrupt) => {
    const moved = [
      ["pg_wal", "wal"],
      ["pg_tblspc/16384", "fast"],
    ].map(([link = "", name = ""]) => ({
      link,
      from: inRoot(name),
      to: inRoot(`${name}.before-restore-20260110T143000Z`),
    }));
    await writeKeptRecord(dataDir, {
      format: 1,
      dataDir,
      keptAs: inRoot(KEPT),
      keptAt: options.now.toISOString(),
      systemIdentifier: "7",
      moved,
    });
    interrupt();
    await keepOldData(dataDir, { ...options, now: new Date("2027-01-01T00:00:00Z") });
    expectKeptWhole();
  });

  test("leaves its place, with mode and links, to the new one; twice does no harm", async () => {
    await keep();
    for (let time = 0; time < 2; time += 1) await takeOldPlace(dataDir);
    expect(statSync(dataDir).mode & 0o777).toBe(0o750);
    expect(lstatSync(join(dataDir, "pg_wal")).isSymbolicLink()).toBe(true);
    expect(readlinkSync(join(dataDir, "pg_wal"))).toBe(inRoot("wal"));
    expect(statSync(inRoot("wal")).isDirectory()).toBe(true);
  });

  test("with a pg_wal and a tablespace that are links to links leaves these as they are, and moves what they lead to", async () => {
    for (const name of ["wal", "fast"]) {
      renameSync(inRoot(name), inRoot(`disk-${name}`));
      symlinkSync(inRoot(`disk-${name}`), inRoot(name));
    }
    await keep();
    await takeOldPlace(dataDir);
    for (const name of ["wal", "fast"]) {
      expect(readlinkSync(inRoot(name))).toBe(inRoot(`disk-${name}`));
      expect(readdirSync(inRoot(`disk-${name}`))).toEqual([]);
    }
    const stamp = KEPT.replace("data", "");
    expect(readlinkSync(inRoot(KEPT, "pg_wal"))).toBe(inRoot(`disk-wal${stamp}`));
    expect(readFileSync(inRoot(KEPT, "pg_tblspc/16384/rows"), "utf8")).toBe("fast/rows");
    expect(readlinkSync(inRoot(KEPT, "pg_tblspc/16384"))).toBe(inRoot(`disk-fast${stamp}`));
  });

  test("whose pg_wal is gone with its disk is kept without it", async () => {
    rmSync(inRoot("wal"), { recursive: true });
    await keep();
    expect(readlinkSync(inRoot(KEPT, "pg_wal"))).toBe(inRoot("wal"));
    expect(readFileSync(inRoot(KEPT, "pg_tblspc/16384/rows"), "utf8")).toBe("fast/rows");
  });

  test("kept twice within a second has two names, and a copy of what was kept is nobody's", async () => {
    await keep();
    mkdirSync(join(dataDir, "base"), { recursive: true });
    expect((await keepOldData(dataDir, options)).keptAs).toBe(`${inRoot(KEPT)}-2`);
    expect(await listKept(dataDir)).toHaveLength(2);
    renameSync(`${inRoot(KEPT)}-2`, inRoot("data.before-restore-copy"));
    expect(await listKept(dataDir)).toHaveLength(1);
  });
});

describe("before anything is touched it is refused to keep", () => {
  const refusal = (text: string) => ({
    code: "DIRECTORY_NOT_EMPTY",
    message: expect.stringContaining(text) as string,
    hint: expect.stringContaining("--discard-old-data") as string,
  });
  const check = (path: string) => requireKeepable(path, { tablespacePlaces: new Set([inRoot("fast")]) });

  test("a directory on which a file system is mounted, which cannot be renamed", async () => {
    await expect(check("/proc")).rejects.toMatchObject(
      refusal("'/proc' by renaming it: a file system is mounted there"),
    );
    await expect(check(dataDir)).resolves.toBeUndefined();
  });

  test.each([
    ["the directory itself, also where it lies on the same device", "data", () => "there"],
    ["pg_wal's place elsewhere", "wal", () => "there"],
    ["the place of a tablespace that is needed again", "fast", () => "there"],
    [
      "a directory below, which the next start of the machine would mount over the new data",
      "data/base",
      () => `at '${inRoot("data/base")}'`,
    ],
  ])("%s", requires("mount"), async (_, name, where) => {
    using _mounted = mountUponItself(inRoot(name));
    await expect(check(dataDir)).rejects.toMatchObject(refusal(`a file system is mounted ${where()}`));
  });

  test("but not where only another tablespace is mounted", requires("mount"), async () => {
    using _mounted = mountUponItself(inRoot("slow"));
    await expect(check(dataDir)).resolves.toBeUndefined();
  });
});
