import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requires } from "@soar-tooling/test-bench";
import { emptyDirectory, removeTree } from "./directories.ts";

const THEIRS = { uid: 65534, gid: 65533 };
const NOW = { sync: "none" } as const;

let root: string;
let tree: string;
const inRoot = (...names: readonly string[]): string => join(root, ...names);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-tree-"));
  tree = inRoot("tree");
  mkdirSync(inRoot("tree", "a", "b"), { recursive: true });
  mkdirSync(inRoot("outside"));
  writeFileSync(inRoot("outside", "victim"), "x");
  for (const name of ["tree/one", "tree/a/two", "tree/a/b/three"]) writeFileSync(inRoot(name), "");
  symlinkSync(inRoot("outside"), inRoot("tree", "a", "link"));
});
afterEach(() => {
  expectUntouched();
  rmSync(root, { recursive: true });
});

function expectUntouched(): void {
  expect(readdirSync(inRoot("outside"))).toEqual(["victim"]);
}

test("a tree goes with everything in it, whatever bytes its names have, and links are not followed", async () => {
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/a/latin-`), Buffer.from([0xe4])]), "");
  expect(await removeTree(tree, { sync: "directory" })).toBe(true);
  expect(readdirSync(root)).toEqual(["outside"]);
  expect(await removeTree(tree, NOW)).toBe(false);
  expect(await removeTree(inRoot("nowhere", "tree"), NOW)).toBe(false);
});

test("a file, or a link itself, goes in the same way", async () => {
  expect(await removeTree(inRoot("tree", "one"), NOW)).toBe(true);
  expect(await removeTree(inRoot("tree", "a", "link"), NOW)).toBe(true);
  expect(readdirSync(inRoot("tree", "a")).sort()).toEqual(["b", "two"]);
});

test("a directory is emptied but for what is to stay", async () => {
  expect(await emptyDirectory(tree, { sync: "directory", except: new Set(["one"]) })).toBe(true);
  expect(readdirSync(tree)).toEqual(["one"]);
  expect(await emptyDirectory(inRoot("nowhere"), NOW)).toBe(false);
});

test("no link on the way from the base is followed", async () => {
  const within = { base: tree };
  for (const work of [
    () => removeTree(inRoot("tree", "a", "link", "victim"), { ...NOW, within }),
    () => emptyDirectory(inRoot("tree", "a", "link"), { ...NOW, within }),
  ])
    await expect(work()).rejects.toMatchObject({ message: expect.stringContaining("is a symbolic link") });
});

describe("while a tree is removed, its owner", requires("root"), () => {
  test("cannot lead root elsewhere by exchanging directories for links", async () => {
    for (const path of [tree, inRoot("tree", "a"), inRoot("tree", "a", "b")]) chownSync(path, THEIRS.uid, THEIRS.gid);
    for (let at = 0; at < 300; at += 1) mkdirSync(inRoot("tree", "a", "b", `d${at}`));
    let isOver = false;
    const removal = removeTree(tree, { ...NOW, owner: THEIRS })
      .catch(() => undefined)
      .finally(() => (isOver = true));
    // As fast as anybody can, between all steps of the removal.
    while (!isOver) {
      try {
        renameSync(inRoot("tree", "a", "b"), inRoot("tree", "a", "aside"));
        symlinkSync(inRoot("outside"), inRoot("tree", "a", "b"));
        renameSync(inRoot("tree", "a", "aside"), inRoot("tree", "a", "b2"));
      } catch {
        // It is gone already.
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await removal;
    expectUntouched();
  });

  test("has nothing of other users removed", async () => {
    chownSync(tree, THEIRS.uid, THEIRS.gid);
    chownSync(inRoot("tree", "a"), 12_345, 12_345);
    await expect(removeTree(tree, { ...NOW, owner: THEIRS })).rejects.toMatchObject({
      code: "FILE_UNWRITABLE",
      message: expect.stringContaining("belongs to user 12345 and not to user 65534"),
    });
    expect(existsSync(inRoot("tree", "a", "two"))).toBe(true);
  });
});
