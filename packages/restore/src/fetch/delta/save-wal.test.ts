import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { COPY_MARK } from "@soar/repository";
import { afterEach, beforeEach, expect, test } from "vitest";
import { heldControlFile } from "./hold-control-file.ts";
import { saveUnarchivedWal } from "./save-wal.ts";

const SEGMENT = "000000010000000000000007";

let root: string;
let dataDir: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-save-"));
  dataDir = join(root, "data");
  mkdirSync(join(dataDir, "pg_wal", "archive_status"), { recursive: true });
  mkdirSync(dirname(heldControlFile(dataDir)), { recursive: true });
  writeFileSync(heldControlFile(dataDir), "");
  writeFileSync(join(dataDir, "pg_wal", SEGMENT), "");
});
afterEach(() => rmSync(root, { recursive: true }));

test("WAL of a copy that is overwritten stays known as that of a copy", async () => {
  writeFileSync(join(dataDir, COPY_MARK), "");
  expect(readdirSync((await saveUnarchivedWal(dataDir)) ?? "").sort()).toEqual([SEGMENT, COPY_MARK]);
});

test("what was archived is not put aside, unless recovery is going to need it", async () => {
  writeFileSync(join(dataDir, "pg_wal", "archive_status", `${SEGMENT}.done`), "");
  const place = await saveUnarchivedWal(dataDir, { needed: new Set([SEGMENT]) });
  expect(readdirSync(place ?? "")).toEqual([SEGMENT]);
  expect(await saveUnarchivedWal(dataDir)).toBeUndefined();
});
