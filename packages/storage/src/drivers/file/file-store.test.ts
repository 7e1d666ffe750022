import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ObjectStore } from "../../object-store.ts";
import { probeConditionalPut } from "../../probe-conditional-put.ts";
import { readObject } from "../../read-object.ts";
import { createFileStore } from "./file-store.ts";
import { classifyFileError } from "./errors.ts";
import { keyOfPath, pathOfKey } from "./layout.ts";

const BODY = Buffer.from("some bytes");

let directory: string;
let store: ObjectStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "soar-file-"));
  store = createFileStore({ directory });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function keysOf(prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: failed`), { code, syscall: "link" });
}

describe("the files", () => {
  test("are the objects under their keys, readable with any tool, and not by everybody", async () => {
    await store.put("wal/000000010000000000000001.zst", BODY);
    expect(await readFile(join(directory, "wal/000000010000000000000001.zst"))).toEqual(BODY);
    expect((await stat(join(directory, "wal/000000010000000000000001.zst"))).mode & 0o007).toBe(0);
    expect((await stat(join(directory, "wal"))).mode & 0o007).toBe(0);
  });

  test("of unfinished work lie outside of the keys, and are gone when it is done", async () => {
    const upload = await store.beginMultipart("big", { partSize: 4 });
    await upload.putPart(1, Buffer.from("abcd"));
    expect((await readdir(directory)).sort()).toEqual([".soar-store"]);
    await upload.complete();
    await store.put("small", BODY);
    expect(await readdir(join(directory, ".soar-store/uploads"))).toEqual([]);
    expect(await readdir(join(directory, ".soar-store/puts"))).toEqual([]);
  });

  test("left by a put that was killed are removed with stale uploads", async () => {
    await store.put("a", BODY);
    const inside = (name: string): string => join(directory, ".soar-store", name);
    await mkdir(inside("uploads/without-record"), { recursive: true });
    await mkdir(inside("uploads/half-a-record"));
    await writeFile(inside("uploads/half-a-record/upload.json"), `{"key":`);
    await writeFile(inside("puts/left-over"), "half");
    for (const name of ["puts/left-over", "uploads/without-record", "uploads/half-a-record"])
      await utimes(inside(name), 1, 1);
    await writeFile(inside("puts/at-work"), "half");
    expect(await store.abortStaleUploads("", new Date(1000_000))).toEqual([]);
    expect(await readdir(join(directory, ".soar-store/puts"))).toEqual(["at-work"]);
    expect(await readdir(join(directory, ".soar-store/uploads"))).toEqual([]);
  });

  test("in directories that become empty leave none behind", async () => {
    await store.put("base/2025-01-05/backup.json", BODY);
    await store.put("base/keep", BODY);
    await store.remove(["base/2025-01-05/backup.json"]);
    expect(await readdir(join(directory, "base"))).toEqual(["keep"]);
    await store.remove(["base/keep"]);
    expect(await readdir(directory)).toEqual([".soar-store"]);
  });

  test("that are no objects do not count: sockets of the top, lost+found, links to nowhere", async () => {
    await store.put("a", BODY);
    await mkdir(join(directory, "lost+found"), { mode: 0o700 });
    await writeFile(join(directory, "lost+found/#1"), "");
    await symlink("/no/such/place", join(directory, "broken"));
    expect(await keysOf()).toEqual(["a"]);
    expect(await keysOf(".soar-store/")).toEqual([]);
  });

  test("behind symbolic links count as what they are", async () => {
    await mkdir(join(directory, "elsewhere"));
    await symlink(join(directory, "elsewhere"), join(directory, "wal"));
    await store.put("wal/1", BODY);
    await store.remove(["wal/1"]);
    await store.put("wal/2", BODY);
    expect(await keysOf()).toEqual(["elsewhere/2", "wal/2"]);
  });

  test("whose names are no UTF-8 are an error of the listing, not left out", async () => {
    await store.put("a", BODY);
    await writeFile(Buffer.concat([Buffer.from(`${directory}/bad-`), Buffer.from([0xff, 0xfe])]), "x");
    await expect(keysOf()).rejects.toMatchObject({
      code: "STORE_PROTOCOL",
      message: expect.stringContaining("is not UTF-8"),
    });
  });

  test("that vanish while they are read or listed are missing, and those that are replaced are noticed", async () => {
    await store.put("a", BODY);
    const removed = await store.get("a");
    await store.remove(["a"]);
    await expect(readBody(removed)).rejects.toMatchObject({ code: "OBJECT_MISSING" });
    await store.put("a", BODY);
    const replaced = await store.get("a");
    await store.put("a", Buffer.from("same bytes"));
    await expect(readBody(replaced)).rejects.toMatchObject({ code: "STORE_PROTOCOL" });
  });
});

async function readBody(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) expect(chunk.byteLength).toBeGreaterThan(0);
}

describe("a directory that is not there", () => {
  test("is never made, and never looks like an empty repository", async () => {
    const missing = createFileStore({ directory: join(directory, "not/mounted") });
    const code = "BUCKET_MISSING";
    await expect(missing.put("a", BODY)).rejects.toMatchObject({ code, hint: expect.stringContaining("mkdir -p") });
    await expect(missing.beginMultipart("a", { partSize: 5 })).rejects.toMatchObject({ code });
    await expect(missing.get("a")).rejects.toMatchObject({ code });
    await expect(missing.stat("a")).rejects.toMatchObject({ code });
    await expect(missing.list("")[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code });
    await expect(missing.remove(["a"])).rejects.toMatchObject({ code });
    await expect(missing.abortStaleUploads("", new Date())).rejects.toMatchObject({ code });
    expect(await readdir(directory)).toEqual([]);
  });

  test("because a file has its name is reported the same way", async () => {
    await writeFile(join(directory, "file"), "");
    await expect(createFileStore({ directory: join(directory, "file") }).stat("a")).rejects.toMatchObject({
      code: "BUCKET_MISSING",
    });
  });
});

describe("a file system without hard links", () => {
  const open = (): ObjectStore => createFileStore({ directory, link: () => Promise.reject(systemError("EPERM")) });

  test("is found out, and still refuses a taken key", async () => {
    const plain = open();
    await plain.put("a", BODY, { ifAbsent: true });
    expect(plain.features.conditionalPut).toBe("refused");
    await expect(plain.put("a", Buffer.from("x"), { ifAbsent: true })).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
    expect(await readObject(plain, "a")).toEqual(BODY);
    expect(await readdir(join(directory, ".soar-store/puts"))).toEqual([]);
  });

  test("is what the probe says", async () => {
    expect(await probeConditionalPut(open(), "")).toBe("refused");
    expect(await probeConditionalPut(store, "")).toBe("honoured");
  });
});

test("a directory that is removed between two steps is made again", async () => {
  let races = 0;
  const racing = createFileStore({
    directory,
    async link(from, to) {
      races += 1;
      if (races <= 3) await rm(join(directory, "deep"), { recursive: true, force: true });
      return await link(from, to);
    },
  });
  await racing.put("deep/er/a", BODY, { ifAbsent: true });
  expect(await readObject(racing, "deep/er/a")).toEqual(BODY);
  expect(races).toBe(4);
});

test("keys and paths are the same thing below the root, and nothing leads out", () => {
  const segment = fc
    .stringMatching(/^[^/\p{Cc}]{1,20}$/u)
    .filter((text) => text.isWellFormed() && !/^\.{1,2}$|^\.soar-store$|^lost\+found$/.test(text));
  const key = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join("/"));
  fc.assert(
    fc.property(fc.constantFrom("/", "/a", "/a/b c"), key, (root, value) => {
      const path = pathOfKey(root, value);
      expect(keyOfPath(root, path)).toBe(value);
      expect(path.startsWith(root)).toBe(true);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.constantFrom("..", ".", "a", ""), { minLength: 1, maxLength: 6 }), (segments) => {
      const value = segments.join("/");
      if (segments.every((text) => text === "a")) expect(pathOfKey("/r", value)).toBe(`/r/${value}`);
      else expect(() => pathOfKey("/r", value)).toThrow("unable to use the key");
    }),
  );
});

test.each([".soar-store/x", ".soar-store", "lost+found", "lost+found/x"])("the key %s is reserved", async (key) => {
  await expect(store.put(key, BODY)).rejects.toMatchObject({
    code: "STORE_UNSUPPORTED",
    message: expect.stringContaining("is reserved"),
  });
});

test.each([
  ["ENOSPC", "STORE_QUOTA", false],
  ["EDQUOT", "STORE_QUOTA", false],
  ["EACCES", "STORE_DENIED", false],
  ["EROFS", "STORE_DENIED", false],
  ["EIO", "STORE_PROTOCOL", false],
  ["EMFILE", "STORE_BUSY", true],
  ["ESTALE", "STORE_UNREACHABLE", true],
  ["EXDEV", "STORE_UNSUPPORTED", false],
  ["EWHATEVER", "STORE_PROTOCOL", false],
] as const)("the system error %s is %s", (code, expected, retryable) => {
  expect(classifyFileError(systemError(code), "store 'x'")).toMatchObject({
    code: expected,
    retryable,
    message: expect.stringMatching(/^unable to store 'x': [a-z]/),
  });
});

test("what is no system error is handed on: a bug", () => {
  const bug = new TypeError("x is not a function");
  expect(classifyFileError(bug, "store 'x'")).toBe(bug);
});

test("a full disk is the store's quota, and leaves nothing", async () => {
  const full = createFileStore({ directory, link: () => Promise.reject(systemError("ENOSPC")) });
  await expect(full.put("a", BODY, { ifAbsent: true })).rejects.toMatchObject({ code: "STORE_QUOTA" });
  expect(await readdir(join(directory, ".soar-store/puts"))).toEqual([]);
});
