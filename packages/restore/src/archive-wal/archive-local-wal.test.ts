import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COPY_MARK } from "@soar/repository";
import { SoarError } from "@soar/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { archiveLocalWal, type ArchiveWal } from "./archive-local-wal.ts";
import type { LocalWalFile } from "./wal-to-archive.ts";

let directory: string;
let files: LocalWalFile[];
let asked: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-local-wal-"));
  mkdirSync(join(directory, "wal"));
  asked = [];
  files = ["a", "b", "c"].map((name) => {
    const file = join(directory, "wal", name);
    writeFileSync(file, name);
    return { name, file, sha256: createHash("sha256").update(name).digest("hex") };
  });
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A repository that has `b` already. */
const archiveWal: ArchiveWal = async (_path, name) => {
  asked.push(name);
  return await Promise.resolve(name === "b" ? "already archived" : "archived");
};
const options = { archiveWal, dataDir: "/data", onFile: () => undefined };

test("each file is stored in order, and told whether it was there", async () => {
  expect(await archiveLocalWal(files, options)).toEqual({
    archived: ["a", "c"],
    present: ["b"],
    left: [],
    reason: undefined,
  });
  expect(asked).toEqual(["a", "b", "c"]);
});

test("nothing is stored behind a file that has changed since recovery was given it", async () => {
  writeFileSync(join(directory, "wal", "b"), "B");
  const result = await archiveLocalWal(files, options);
  expect(result).toMatchObject({ archived: ["a"], left: files.slice(1) });
  expect(result.reason).toMatch(/has changed since the restore was planned/);
  expect(asked).toEqual(["a"]);
});

test("a history that says something else than the plan read in it is not stored, nor what lies behind it", async () => {
  const [name, history] = ["00000002.history", "1\t0/3000000\tno recovery target specified\n"];
  const file = join(directory, "wal", name);
  const told = [{ name, file, sha256: undefined, history }, ...files];
  writeFileSync(file, `# by hand\n${history}`);
  expect(await archiveLocalWal(told, options)).toMatchObject({ archived: [name, "a", "c"], left: [] });
  writeFileSync(file, "1\t0/2000000\tno recovery target specified\n");
  const result = await archiveLocalWal(told, options);
  expect(result).toMatchObject({ archived: [], left: told });
  expect(result.reason).toMatch(/it has changed since the restore was planned/);
});

test("WAL that a copy has put aside is not stored as that of its source", async () => {
  writeFileSync(join(directory, "wal", COPY_MARK), "");
  const result = await archiveLocalWal(files, options);
  expect(result).toMatchObject({ archived: [], left: files });
  expect(result.reason).toMatch(/it is a copy of the cluster/);
  expect(asked).toEqual([]);
});

test("a signal ends it, and is no failure of a file", async () => {
  const controller = new AbortController();
  const reason = new SoarError("ABORTED", "stopped by SIGTERM");
  const stopped: ArchiveWal = async () => {
    controller.abort(reason);
    return await Promise.reject(new Error("the call was aborted"));
  };
  const { signal } = controller;
  await expect(archiveLocalWal(files, { ...options, archiveWal: stopped, signal })).rejects.toBe(reason);
});
