import { chownSync, existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DirectoryTree } from "./directory-tree.ts";

/** Whom only root gives anything to; no group has such a number. */
const OWNER = { uid: 65534, gid: 2 ** 40 };
const isRoot = process.getuid?.() === 0;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-tree-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function heldBelow(path: string): string[] {
  return readdirSync("/proc/self/fd")
    .map((descriptor) => `/proc/self/fd/${descriptor}`)
    .flatMap((at) => (existsSync(at) && readlinkSync(at).startsWith(path) ? [readlinkSync(at)] : []));
}

test("a directory that cannot be given to its owner does not stay open", async () => {
  if (isRoot) chownSync(root, OWNER.uid, 0);
  {
    await using tree = new DirectoryTree(root, OWNER);
    const outcome = await tree.prepare("sub").catch(String);
    expect(outcome).toEqual(isRoot ? expect.stringContaining(`unable to write '${root}/sub'`) : undefined);
    expect(heldBelow(root)).toEqual(isRoot ? [root] : []);
  }
  expect(heldBelow(root)).toEqual([]);
});
