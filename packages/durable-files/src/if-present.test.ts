import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  lstatIfPresent,
  namesIfPresent,
  openIfPresent,
  readIfPresent,
  readLinkIfPresent,
  readTextIfPresent,
  realPathIfPresent,
  statIfPresent,
  treeIfPresent,
} from "./if-present.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-present-"));
  writeFileSync(join(directory, "file"), "text");
  symlinkSync("file", join(directory, "link"));
  symlinkSync("nothing", join(directory, "dangling"));
  mkdirSync(join(directory, "below"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (name: string): string => join(directory, name);

const READERS = [
  readIfPresent,
  readTextIfPresent,
  (path: string) => readTextIfPresent(path, { within: { base: directory } }),
  statIfPresent,
  lstatIfPresent,
  namesIfPresent,
  treeIfPresent,
  openIfPresent,
  realPathIfPresent,
  readLinkIfPresent,
];

describe("nothing of this name", () => {
  test.each(["nothing", "nothing/below", "file/below"])("is undefined: %s", async (name) => {
    for (const read of READERS) expect(await read(at(name))).toBeUndefined();
  });
});

test("what is there is read", async () => {
  expect(await readIfPresent(at("file"))).toEqual(Buffer.from("text"));
  expect(await readTextIfPresent(at("link"))).toBe("text");
  expect(await readTextIfPresent(at("file"), { within: { base: directory } })).toBe("text");
  expect((await statIfPresent(at("link")))?.size).toBe(4);
  expect((await statIfPresent(at("file"), { bigint: true }))?.size).toBe(4n);
  expect((await lstatIfPresent(at("dangling")))?.isSymbolicLink()).toBe(true);
  expect(await statIfPresent(at("dangling"))).toBeUndefined();
  expect((await namesIfPresent(directory))?.sort()).toEqual(["below", "dangling", "file", "link"]);
  expect((await treeIfPresent(directory))?.length).toBe(4);
  expect(await readLinkIfPresent(at("link"))).toBe("file");
  expect(await readLinkIfPresent(at("file"))).toBeUndefined();
  await using file = await openIfPresent(at("file"));
  expect(await file?.readFile("utf8")).toBe("text");
});

test("what cannot be read is an error and not nothing", async () => {
  await expect(readTextIfPresent(at("below"), { hint: "Look." })).rejects.toMatchObject({
    code: "FILE_UNREADABLE",
    message: `unable to read '${at("below")}': a directory has this name (EISDIR)`,
    hint: "Look.",
  });
  symlinkSync("loop", at("loop"));
  for (const read of [readIfPresent, statIfPresent, openIfPresent, realPathIfPresent])
    await expect(read(at("loop"))).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
});

test("within a base no link, pipe or directory is read", async () => {
  execFileSync("mkfifo", [at("pipe")]);
  symlinkSync("..", join(at("below"), "up"));
  const within = { base: directory };
  for (const name of ["link", "dangling", "pipe", "below", "below/up/file"])
    await expect(readTextIfPresent(at(name), { within })).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
});
