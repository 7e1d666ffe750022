import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { holdTree, openDirectoryBelow, openFileBelow, type ReadableTree } from "./reading.ts";

const THEIRS = { uid: 65534, gid: 65533 };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-below-"));
  mkdirSync(join(root, "tree/base/5"), { recursive: true });
  writeFileSync(join(root, "tree/base/5/1"), "inside");
  mkdirSync(join(root, "outside/5"), { recursive: true });
  writeFileSync(join(root, "outside/5/1"), "secret");
});
afterEach(() => rmSync(root, { recursive: true }));

function read(tree: ReadableTree, path: string): string | undefined {
  const file = openFileBelow(tree, Buffer.from(path));
  if (file === undefined) return undefined;
  const text = readFileSync(file, "utf8");
  closeSync(file);
  return text;
}

test("a file is read by its path below the tree, wherever the tree is by then", async () => {
  await using tree = await holdTree(join(root, "tree"));
  renameSync(join(root, "tree"), join(root, "moved"));
  symlinkSync("outside", join(root, "tree"));
  expect(read(tree, "base/5/1")).toBe("inside");
  expect(read(tree, "base//5/1")).toBe("inside");
  using directory = openDirectoryBelow(tree, Buffer.from("base/5"));
  expect(readdirSync(directory.prefix)).toEqual(["1"]);
  expect(() => read(tree, "base/6/1")).toThrow("ENOENT");
  expect(() => read(tree, "base/5/1/x")).toThrow("ENOTDIR");
});

test.each([
  ["base", "../outside"],
  ["base/5", "../../outside/5"],
])("a directory that was exchanged for a link is no way: %s", async (place, target) => {
  await using tree = await holdTree(join(root, "tree"));
  rmSync(join(root, "tree", place), { recursive: true });
  symlinkSync(target, join(root, "tree", place));
  expect(() => read(tree, "base/5/1")).toThrow("a directory on the way was exchanged for a symbolic link");
});

test("neither a link nor a pipe is a file, and no descriptor stays open", async () => {
  const open = (): number => readdirSync("/proc/self/fd").length;
  await using tree = await holdTree(join(root, "tree"));
  const before = open();
  symlinkSync("1", join(root, "tree/base/5/link"));
  expect(() => read(tree, "base/5/link")).toThrow("ELOOP");
  expect(spawnSync("mkfifo", [join(root, "tree/base/5/pipe")]).status).toBe(0);
  expect(read(tree, "base/5/pipe")).toBeUndefined();
  expect(read(tree, "base/5")).toBeUndefined();
  expect(read(tree, "base/5/1")).toBe("inside");
  expect(() => read(tree, "base/none/1")).toThrow("ENOENT");
  expect(open()).toBe(before);
});

test("without descriptors the path itself is used, and its last name is no link", () => {
  const tree = { path: join(root, "tree"), descriptor: undefined, reader: undefined };
  expect(read(tree, "base/5/1")).toBe("inside");
  symlinkSync("1", join(root, "tree/base/5/link"));
  expect(() => read(tree, "base/5/link")).toThrow("ELOOP");
});

describe("root, in a tree of a user,", requires("root"), () => {
  beforeEach(() => {
    for (const path of ["tree", "tree/base", "tree/base/5", "tree/base/5/1"])
      chownSync(join(root, path), THEIRS.uid, THEIRS.gid);
  });

  test("reads only what this user could read: no other name of a file of root's", async () => {
    await using tree = await holdTree(join(root, "tree"), { groups: [12_345] });
    chmodSync(join(root, "outside/5/1"), 0o640);
    linkSync(join(root, "outside/5/1"), join(root, "tree/base/5/2"));
    expect(() => read(tree, "base/5/2")).toThrow("it belongs to user 0, and user 65534 may not read it");
    for (const gid of [THEIRS.gid, 12_345]) {
      chownSync(join(root, "outside/5/1"), 0, gid);
      expect(read(tree, "base/5/2")).toBe("secret");
    }
    chownSync(join(root, "outside/5/1"), 0, 0);
    chmodSync(join(root, "outside/5/1"), 0o604);
    expect(read(tree, "base/5/2")).toBe("secret");
    // Of one's own file the permissions do not matter: one gives them to oneself.
    chmodSync(join(root, "tree/base/5/1"), 0);
    expect(read(tree, "base/5/1")).toBe("inside");
  });

  test("holds no directory of anybody else in its place", async () => {
    await expect(holdTree(join(root, "outside"), { owner: THEIRS })).rejects.toThrow("it belongs to user 0");
  });
});
