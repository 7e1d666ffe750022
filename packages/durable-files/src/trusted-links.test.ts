import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requires } from "@soar-tooling/test-bench";
import { makeTemporaryDirectory } from "./directories.ts";
import { readTrustedFile } from "./reading.ts";
import { makeDirectory, openForAppend, openIfPresent, readTextIfPresent, replaceFile } from "./index.ts";

const THEIRS = { uid: 65534, gid: 65533 };
const NOTHING = { mode: 0o600, sync: "none" } as const;

let root: string;
let theirs: string;
let ours: string;
const inRoot = (...names: readonly string[]): string => join(root, ...names);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-trusted-"));
  [theirs, ours] = [inRoot("theirs"), inRoot("ours")];
  for (const directory of [theirs, ours, inRoot("theirs", "data"), inRoot("others")]) mkdirSync(directory);
  if (process.geteuid?.() !== 0) return;
  for (const path of [theirs, inRoot("theirs", "data")]) chownSync(path, THEIRS.uid, THEIRS.gid);
  chownSync(inRoot("others"), 12_345, 12_345);
});
afterEach(() => rmSync(root, { recursive: true }));

/** A link that this user has made. */
function link(target: string, path: string, { uid, gid }: { uid: number; gid: number }): void {
  symlinkSync(target, path);
  lchownSync(path, uid, gid);
}

describe("root, on the way to a directory,", requires("root"), () => {
  const write = (...names: readonly string[]) => replaceFile(inRoot(...names, "file"), "x", NOTHING);
  const REFUSED = { code: "FILE_UNWRITABLE", hint: expect.stringContaining("Root follows no such link") as string };

  test.each([
    ["an absolute one", () => inRoot("theirs", "data")],
    ["a relative one", () => "../theirs/./data/../data"],
  ])("follows a link that root made where only root makes names: %s", async (_, target) => {
    symlinkSync(target(), inRoot("ours", "link"));
    await write("ours", "link");
    expect(readdirSync(inRoot("theirs", "data"))).toEqual(["file"]);
  });

  test("follows a link of a user to what is that user's", async () => {
    link("data", inRoot("theirs", "link"), THEIRS);
    await write("theirs", "link");
    expect(readdirSync(inRoot("theirs", "data"))).toEqual(["file"]);
  });

  test.each([
    ["root's", "ours", THEIRS],
    ["another user's", "others", THEIRS],
    ["root's, by a link that root made elsewhere and the user moved here", "ours", { uid: 0, gid: 0 }],
  ])("follows no link of a user's directory to what is %s", async (_, target, maker) => {
    link(inRoot(target), inRoot("theirs", "link"), maker);
    await expect(write("theirs", "link")).rejects.toMatchObject(REFUSED);
    await expect(openForAppend(inRoot("theirs", "link", "file"), NOTHING)).rejects.toMatchObject(REFUSED);
    await expect(makeDirectory(inRoot("theirs", "link", "new"), { ...NOTHING, mode: 0o700 })).rejects.toMatchObject(
      REFUSED,
    );
    // Nor is an empty directory of root's given away by it.
    const made = makeDirectory(inRoot("theirs", "link"), { ...NOTHING, mode: 0o700, owner: THEIRS });
    await expect(made).rejects.toMatchObject(REFUSED);
    expect(readdirSync(inRoot(target))).toEqual([]);
  });

  test("follows no such link in a directory that everybody may write to, nor behind a link of root's", async () => {
    mkdirSync(inRoot("shared"));
    chmodSync(inRoot("shared"), 0o1777);
    link(ours, inRoot("shared", "link"), THEIRS);
    symlinkSync(inRoot("shared", "link"), inRoot("outer"));
    for (const name of ["shared/link", "outer"]) await expect(write(name)).rejects.toMatchObject(REFUSED);
    expect(readdirSync(ours)).toEqual([]);
  });

  test("gives up at links that lead in a circle", async () => {
    symlinkSync("b", inRoot("a"));
    symlinkSync("a", inRoot("b"));
    await expect(write("a")).rejects.toMatchObject({
      message: expect.stringContaining("a loop of symbolic links"),
      hint: expect.stringContaining("Something else has the place"),
    });
  });

  test("appends to no file that belongs to a third user", async () => {
    await replaceFile(inRoot("theirs", "log"), "", { ...NOTHING, owner: { uid: 12_345, gid: 12_345 } });
    await expect(openForAppend(inRoot("theirs", "log"), NOTHING)).rejects.toMatchObject({
      message: expect.stringContaining("it belongs to user 12345"),
    });
  });
});

describe("a directory that is there", () => {
  test("gets the permissions that it must have, but keeps others that it may have", async () => {
    const modes = { ...NOTHING, mode: 0o700, otherModes: [0o750] };
    for (const [before, after] of [
      [0o755, 0o700],
      [0o750, 0o750],
      [0o1700, 0o700],
    ] as const) {
      chmodSync(ours, before);
      expect(await makeDirectory(ours, modes)).toBe(false);
      expect(statSync(ours).mode & 0o7777).toBe(after);
    }
  });

  test("and belongs to another user than it should is left as it is", requires("root"), async () => {
    const work = makeDirectory(inRoot("others"), { ...NOTHING, mode: 0o700, otherModes: [], owner: THEIRS });
    await expect(work).rejects.toMatchObject({ message: expect.stringContaining("belongs to user 12345") });
  });

  test("empty, or with nothing but lost+found, becomes its user's when root made it", requires("root"), async () => {
    mkdirSync(inRoot("ours", "lost+found"));
    await makeDirectory(ours, { ...NOTHING, mode: 0o700, owner: THEIRS });
    expect(lstatSync(ours)).toMatchObject(THEIRS);
  });
});

describe("a temporary directory", () => {
  test("has a name that nobody has used, and is closed to others", async () => {
    const names = await Promise.all(Array.from({ length: 20 }, () => makeTemporaryDirectory(theirs, "x-")));
    expect(new Set(names).size).toBe(20);
    for (const path of names) {
      expect(path).toMatch(/\/theirs\/x-[0-9a-f]{6}$/);
      expect(lstatSync(path)).toMatchObject({ uid: process.geteuid?.(), mode: 0o040700 });
    }
  });

  test("belongs to whom it is for", requires("root"), async () => {
    expect(lstatSync(await makeTemporaryDirectory(theirs, "x-", { owner: THEIRS }))).toMatchObject(THEIRS);
  });
});

describe("reading a file that somebody else may have put there:", () => {
  const put = (path: string, { uid, gid }: { uid: number; gid: number }): string => {
    writeFileSync(path, path, { mode: 0o600 });
    chownSync(path, uid, gid);
    return path;
  };

  test("root follows a link of a user to that user's file, also through another one", requires("root"), async () => {
    put(inRoot("theirs", "data", "file"), THEIRS);
    link("file", inRoot("theirs", "data", "second"), THEIRS);
    link("data/second", inRoot("theirs", "first"), THEIRS);
    symlinkSync(inRoot("theirs", "first"), inRoot("ours", "root"));
    for (const path of [inRoot("theirs", "first"), inRoot("ours", "root")])
      expect(await readTextIfPresent(path)).toBe(inRoot("theirs", "data", "file"));
  });

  test.each<[string, () => string]>([
    ["the file itself", () => put(inRoot("ours", "secret"), { uid: 0, gid: 0 })],
    ["a directory on the way", () => put(inRoot("ours", "secret"), { uid: 0, gid: 0 })],
    ["another user's file", () => put(inRoot("others", "secret"), { uid: 12_345, gid: 12_345 })],
  ])("root is led nowhere by a link in place of %s", requires("root"), async (what, make) => {
    const secret = make();
    const isWay = what.startsWith("a directory");
    link(isWay ? join(secret, "..") : secret, inRoot("theirs", "link"), THEIRS);
    const path = isWay ? inRoot("theirs", "link", "secret") : inRoot("theirs", "link");
    for (const read of [readTextIfPresent, openIfPresent])
      await expect(read(path)).rejects.toMatchObject({
        code: "FILE_UNREADABLE",
        hint: expect.stringContaining("Root follows no such link") as string,
      });
  });

  test("a link to nothing is nothing", async () => {
    symlinkSync(inRoot("nothing"), inRoot("theirs", "link"));
    expect(await readTextIfPresent(inRoot("theirs", "link"))).toBeUndefined();
  });

  test("nobody waits for whoever might write to a pipe", async () => {
    expect(spawnSync("mkfifo", [inRoot("theirs", "pipe")]).status).toBe(0);
    await expect(readTextIfPresent(inRoot("theirs", "pipe"))).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
    await expect(readTrustedFile(inRoot("theirs", "pipe"))).rejects.toThrow("it is no ordinary file");
    await expect(readTrustedFile(inRoot("theirs"))).rejects.toMatchObject({ code: "EISDIR" });
  });
});
