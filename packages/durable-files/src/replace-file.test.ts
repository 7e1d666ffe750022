import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { replaceFile, type Sync } from "./replace-file.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-durable-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const inRoot = (...names: string[]): string => join(root, ...names);
const OPTIONS = { mode: 0o640, sync: "none" } as const;

describe("a file is replaced as a whole", () => {
  test.each<Sync>(["directory", "file", "none"])("and nothing else is left, with sync %s", async (sync) => {
    writeFileSync(inRoot("file"), "old");
    await replaceFile(inRoot("file"), "new", { mode: 0o640, sync });
    expect(readFileSync(inRoot("file"), "utf8")).toBe("new");
    expect(readdirSync(root)).toEqual(["file"]);
  });

  test("from text, bytes and pieces", async () => {
    async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.from("c");
      yield Buffer.alloc(0);
      yield Buffer.from("d");
    }
    for (const content of ["ab", Buffer.from("ab"), [Buffer.from("a"), Buffer.from("b")]]) {
      await replaceFile(inRoot("file"), content, OPTIONS);
      expect(readFileSync(inRoot("file"), "utf8")).toBe("ab");
    }
    await replaceFile(inRoot("file"), pieces(), OPTIONS);
    expect(readFileSync(inRoot("file"), "utf8")).toBe("cd");
  });

  test("under any umask with exactly the mode that was asked for", async () => {
    const before = process.umask(0o077);
    try {
      await replaceFile(inRoot("file"), "", { mode: 0o644, sync: "none" });
    } finally {
      process.umask(before);
    }
    expect(statSync(inRoot("file")).mode & 0o777).toBe(0o644);
  });

  test("with the mode of the old one where that is to be kept, but never that of a link's target", async () => {
    writeFileSync(inRoot("file"), "");
    chmodSync(inRoot("file"), 0o604);
    await replaceFile(inRoot("file"), "", { ...OPTIONS, keepMode: true });
    expect(statSync(inRoot("file")).mode & 0o777).toBe(0o604);
    symlinkSync("file", inRoot("link"));
    await replaceFile(inRoot("link"), "", { ...OPTIONS, keepMode: true });
    expect(lstatSync(inRoot("link")).mode & 0o777).toBe(0o640);
    await replaceFile(inRoot("absent"), "", { ...OPTIONS, keepMode: true });
    expect(lstatSync(inRoot("absent")).mode & 0o777).toBe(0o640);
  });
});

describe("a link of its name", () => {
  beforeEach(() => {
    writeFileSync(inRoot("victim"), "untouched");
    symlinkSync("victim", inRoot("link"));
  });

  test("is replaced itself", async () => {
    await replaceFile(inRoot("link"), "new", OPTIONS);
    expect(lstatSync(inRoot("link")).isFile()).toBe(true);
    expect(readFileSync(inRoot("victim"), "utf8")).toBe("untouched");
  });

  test("is refused where the caller says so", async () => {
    await expect(replaceFile(inRoot("link"), "new", { ...OPTIONS, ifLink: "refuse" })).rejects.toMatchObject({
      code: "FILE_UNWRITABLE",
      message: expect.stringContaining("symbolic link"),
    });
    expect(lstatSync(inRoot("link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(inRoot("victim"), "utf8")).toBe("untouched");
  });
});

describe("a failure leaves the old file and nothing else, and says", () => {
  beforeEach(() => writeFileSync(inRoot("file"), "old"));
  afterEach(expectOldOnly);

  test.each([
    ["that the directory is absent", ["absent", "x"], /absent\/x': there is no such file or directory \(ENOENT\)$/],
    ["that a file stands in the place of the directory", ["file", "x"], /file\/x': .* \(ENOTDIR\)$/],
    ["that a directory has the name", ["taken"], /taken': a directory has this name \(EISDIR\)$/],
  ])("%s", async (_, names, message) => {
    mkdirSync(inRoot("taken"));
    await expect(replaceFile(inRoot(...names), "x", OPTIONS)).rejects.toMatchObject({
      code: "FILE_UNWRITABLE",
      message: expect.stringMatching(message),
      hint: expect.stringContaining("owner and permissions"),
    });
  });

  test("what the caller knows better", async () => {
    await expect(replaceFile(inRoot("absent", "x"), "x", { ...OPTIONS, hint: "Name another." })).rejects.toMatchObject({
      hint: "Name another.",
    });
  });

  test("what the source failed with, as it is", async () => {
    const failure = Object.assign(new Error("cut"), { code: "ECONNRESET", syscall: "read" });
    async function* failing(): AsyncGenerator<Buffer> {
      yield Buffer.from("x");
      throw failure;
    }
    await expect(replaceFile(inRoot("file"), failing(), OPTIONS)).rejects.toBe(failure);
  });
});

function expectOldOnly(): void {
  expect(readFileSync(inRoot("file"), "utf8")).toBe("old");
  expect(readdirSync(root).filter((name) => name.includes("tmp"))).toEqual([]);
}
