import {
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRoot } from "@soar/durable-files";
import { requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { discardKept, listKeptData } from "./in-place/discard-kept.ts";
import { keepOldData, requireKeepable } from "./in-place/keep-old-data.ts";
import { createPrivateDirectory, removePrivateDirectory } from "./recover/private-access.ts";
import { removeAbandoned } from "./rescue/scratch-directory.ts";
import { putServerConfig } from "./server-config/config-difference.ts";
import { writeKeptRecord, type KeptRecord, type MovedDirectory } from "./status/kept-record.ts";

const OWNER = { uid: 65534, gid: 65534 };
const STAMP = "20260110T143000Z";

let root: string;
let dataDir: string;
let outside: string;
const inRoot = (...names: readonly string[]): string => join(root, ...names);
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-forged-"));
  [dataDir, outside] = [inRoot("data"), inRoot("outside")];
  for (const path of [dataDir, outside]) mkdirSync(path);
  writeFileSync(join(outside, "victim"), "x");
  if (isRoot()) for (const path of [root, dataDir]) chownSync(path, OWNER.uid, OWNER.gid);
});
afterEach(() => {
  expectUntouched();
  rmSync(root, { recursive: true });
});

function expectUntouched(): void {
  expect(readdirSync(outside)).toEqual(["victim"]);
  expect(lstatSync(outside).uid).toBe(process.getuid?.());
}

function recordOf(moved: readonly MovedDirectory[], more: Partial<KeptRecord> = {}): KeptRecord {
  const keptAs = `${dataDir}.before-restore-${STAMP}`;
  return { format: 1, dataDir, keptAs, keptAt: new Date(0).toISOString(), systemIdentifier: "7", moved, ...more };
}

const KEEP = { systemIdentifier: "7", tablespacePlaces: new Set<string>(), now: new Date("2026-02-02T00:00:00Z") };

describe("a record of what is kept that no restore of this directory has written", () => {
  test.each<[string, () => KeptRecord]>([
    ["another name", () => recordOf([{ link: "pg_wal", from: outside, to: inRoot("taken") }])],
    ["no place beside", () => recordOf([{ link: "pg_wal", from: outside, to: `${outside}.before-restore-other` }])],
    ["another link", () => recordOf([{ link: "base", from: outside, to: `${outside}.before-restore-${STAMP}` }])],
    [
      "a way back",
      () =>
        recordOf([
          { link: "pg_wal", from: `${outside}/../outside`, to: `${outside}/../outside.before-restore-${STAMP}` },
        ]),
    ],
    ["a place elsewhere for the directory itself", () => recordOf([], { keptAs: join(outside, "data") })],
    ["no stamp", () => recordOf([], { keptAs: `${dataDir}.before-restore-../outside/x` })],
  ])("moves nothing: %s", async (_, forged) => {
    await writeKeptRecord(dataDir, forged());
    expect((await keepOldData(dataDir, KEEP)).keptAs).toBe(`${dataDir}.before-restore-20260202T000000Z`);
  });

  test("has nothing removed: one that lies in a directory that looks like a kept one", async () => {
    const kept = `${dataDir}.before-restore-${STAMP}`;
    mkdirSync(kept);
    if (isRoot()) chownSync(kept, OWNER.uid, OWNER.gid);
    await writeKeptRecord(kept, recordOf([{ link: "pg_wal", from: inRoot("x"), to: outside }]));
    expect(await listKeptData(dataDir)).toEqual([]);
  });
});

describe("what belongs to somebody else than the data directory", requires("root"), () => {
  test("is neither kept aside nor given away because a link leads to it", async () => {
    symlinkSync(outside, join(dataDir, "pg_wal"));
    const foreign = { code: "DIRECTORY_FOREIGN", message: expect.stringContaining("it belongs to user 0") as string };
    await expect(requireKeepable(dataDir, KEEP)).rejects.toMatchObject(foreign);
    await expect(keepOldData(dataDir, KEEP)).rejects.toMatchObject(foreign);
  });

  test("is not removed with what was kept, although its name has the stamp", async () => {
    const [kept, planted] = [`${dataDir}.before-restore-${STAMP}`, inRoot(`wal.before-restore-${STAMP}`)];
    for (const path of [kept, planted]) mkdirSync(path);
    writeFileSync(join(planted, "victim"), "x");
    chownSync(kept, OWNER.uid, OWNER.gid);
    await writeKeptRecord(kept, recordOf([{ link: "pg_wal", from: inRoot("wal"), to: planted }]));
    const [found] = await listKeptData(dataDir);
    if (found === undefined) throw new Error("nothing is kept");
    await expect(discardKept(found)).rejects.toMatchObject({ code: "DIRECTORY_FOREIGN" });
    expect(existsSync(join(planted, "victim"))).toBe(true);
    chownSync(planted, OWNER.uid, OWNER.gid);
    await discardKept(found);
    expect(readdirSync(root).sort()).toEqual(["data", "outside"]);
  });

  test("is no place for configuration, whatever the repository says, unless it is Debian's", async () => {
    const put = (directory: string, systemEnv = {}) =>
      putServerConfig(
        [{ path: join(directory, "evil.conf"), present: undefined, saved: Buffer.from("x"), isAccess: false }],
        { owner: OWNER, systemEnv, now: new Date(0) },
      );
    // Nobody is told to give away a directory that is there.
    for (const [directory, hint] of [
      [outside, "put the file there yourself"],
      [join(outside, "new"), `install -d -o 65534 -g 65534 ${join(outside, "new")}.`],
    ] as const)
      await expect(put(directory)).rejects.toMatchObject({
        code: "FILE_UNWRITABLE",
        hint: expect.stringContaining(hint) as string,
      });
    mkdirSync(inRoot("etc"));
    await put(inRoot("etc", "15", "main"), { PG_CLUSTER_CONF_ROOT: inRoot("etc") });
    expect(lstatSync(inRoot("etc", "15", "main", "evil.conf"))).toMatchObject(OWNER);
    await put(inRoot("theirs"));
    expect(readFileSync(inRoot("theirs", "evil.conf"), "utf8")).toBe("x");
  });

  test("is no private directory of a restore, although a record names it", async () => {
    // One whose path is too long for a socket has its private directory elsewhere.
    const long = inRoot("x".repeat(90));
    const own = await createPrivateDirectory(long, OWNER, () => Promise.resolve());
    expect(lstatSync(own)).toMatchObject({ ...OWNER, mode: 0o040700 });
    const foreign = own.replace(/.$/, own.endsWith("0") ? "1" : "0");
    mkdirSync(foreign, { mode: 0o700 });
    chownSync(foreign, 12_345, 12_345);
    await expect(removePrivateDirectory(long, foreign, OWNER)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
    await removePrivateDirectory(long, own, OWNER);
    expect(existsSync(own)).toBe(false);
    expect(existsSync(foreign)).toBe(true);
    rmSync(foreign, { recursive: true });
  });

  test("is no scratch directory of ours: nothing of it is removed, and no database is dropped", async () => {
    const planted = inRoot("soar-rescue-abcdef");
    mkdirSync(planted);
    writeFileSync(join(planted, "lock"), "");
    writeFileSync(join(planted, "loading"), "/nowhere:1\nproduction\n");
    chownSync(planted, 12_345, 12_345);
    symlinkSync(outside, inRoot("soar-rescue-link00"));
    lchownSync(inRoot("soar-rescue-link00"), OWNER.uid, OWNER.gid);
    const targetServer = { server: { host: "/nowhere", port: 1, user: "postgres" } };
    expect(await removeAbandoned(root, { owner: OWNER, targetServer })).toEqual([]);
    expect(readdirSync(planted).sort()).toEqual(["loading", "lock"]);
    // Of one of ours only a name that a rescue gives is ever dropped: asking this server would fail.
    chownSync(planted, OWNER.uid, OWNER.gid);
    expect(await removeAbandoned(root, { owner: OWNER, targetServer })).toEqual([
      { path: planted, database: undefined },
    ]);
  });
});
