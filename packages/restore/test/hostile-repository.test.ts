import { lchownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRoot } from "@soar/durable-files";
import type { BackupRecord } from "@soar/repository";
import { createCodecPool, type CodecPool } from "@soar/seekable-tar";
import { createMemoryStore } from "@soar/storage";
import { putSampleBackup, SAMPLE_TABLESPACE } from "@soar-tooling/sample-repository";
import { requires } from "@soar-tooling/test-bench";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeDirectory } from "@soar/durable-files";
import { createDataDirectory } from "../src/data-directory.ts";
import { fetchBackup } from "../src/fetch/fetch-backup.ts";
import { requireLegalEntries } from "../src/fetch/require-entries.ts";

const OWNER = isRoot() ? { uid: 65534, gid: 65534 } : undefined;
const LABEL = "2025-02-01";

let pool: CodecPool;
let root: string;
let dataDir: string;
let outside: string;
beforeAll(() => {
  pool = createCodecPool({ workers: 1 });
});
afterAll(async () => {
  await pool.close();
});
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-hostile-"));
  [dataDir, outside] = [join(root, "data"), join(root, "outside")];
  mkdirSync(outside);
});
afterEach(() => {
  expectUntouched();
  rmSync(root, { recursive: true });
});

function expectUntouched(): void {
  expect(readdirSync(outside)).toEqual([]);
  expect(lstatSync(outside).uid).toBe(process.getuid?.());
}

/** Fetches a backup whose archive of the data directory has these links, too. */
async function fetch(
  links: Readonly<Record<string, string>>,
  { refill = false, tablespaces = [] }: { refill?: boolean; tablespaces?: BackupRecord["tablespaces"] } = {},
): Promise<void> {
  const store = createMemoryStore();
  const backup = await putSampleBackup(store, {
    label: LABEL,
    first: 1,
    beside: { links },
    change: (record) => ({ ...record, tablespaces }),
  });
  await createDataDirectory(dataDir, OWNER);
  await makeDirectory(join(dataDir, "soar-restore"), { mode: 0o700, owner: OWNER, sync: "none" });
  const places = new Map(tablespaces.map(({ oid }) => [oid, join(root, String(oid))]));
  await fetchBackup(store, { backup, dataDir, tablespaces: places, owner: OWNER, pool, jobs: 1, refill });
}

describe("a backup with a link in it is refused before anything is fetched:", () => {
  test.each(["conf.d", "pg_hba.conf", "pg_wal", "base/5/link", "pg_tblspc/16420", "pg_tblspc/16420/x", "pg_tblspc"])(
    "%s",
    async (path) => {
      await expect(fetch({ [path]: outside })).rejects.toMatchObject({
        code: "REPOSITORY_DAMAGED",
        message: `backup '${LABEL}' is not one that a server made: its archive 'base' holds '${path}', a link to '${outside}'`,
      });
      expect(readdirSync(dataDir)).toEqual(["soar-restore"]);
    },
  );
});

test("so is anything in a tablespace but what a server makes there, whose place the repository names", () => {
  const record = { label: LABEL, tablespaces: [{ oid: SAMPLE_TABLESPACE, location: "/root/.ssh" }] };
  const archives = (path: string, type: "file" | "directory" | "symlink" | "other") =>
    [{ name: String(SAMPLE_TABLESPACE), entries: [{ path, type, link: "" }] }] as unknown as Parameters<
      typeof requireLegalEntries
    >[0]["archives"];
  for (const [path, type] of [
    ["authorized_keys", "file"],
    ["x/PG_15_202209061/y", "file"],
    ["PG_15_202209061/5/1", "symlink"],
    ["PG_15_202209061/5/1", "other"],
  ] as const)
    expect(() => requireLegalEntries({ archives: archives(path, type) }, record)).toThrow(
      expect.objectContaining({ code: "REPOSITORY_DAMAGED" }),
    );
  for (const path of ["PG_15_202209061/5/1", "./PG_15_202209061/5/1"])
    expect(() => requireLegalEntries({ archives: archives(path, "file") }, record)).not.toThrow();
  expect(() => requireLegalEntries({ archives: archives(".", "directory") }, record)).not.toThrow();
});

test("the link of a tablespace that the record names leads to its new place, whatever the archive says", async () => {
  const tablespaces = [{ oid: SAMPLE_TABLESPACE, location: "/old" }];
  // The sample has no map of them.
  await expect(fetch({ [`pg_tblspc/${SAMPLE_TABLESPACE}`]: outside }, { tablespaces })).rejects.toMatchObject({
    message: expect.stringContaining("tablespace_map") as string,
  });
});

describe("a link that the server's user has put into the directory", requires("root"), () => {
  test.each(["pg_wal", "base", "base/5", "global"])("in the place of %s leads nothing out of it", async (path) => {
    await createDataDirectory(dataDir, OWNER);
    for (const directory of ["base", "base/5"]) await makeDirectory(join(dataDir, directory), MADE);
    rmSync(join(dataDir, path), { recursive: true, force: true });
    symlinkSync(outside, join(dataDir, path));
    lchownSync(join(dataDir, path), 65534, 65534);
    const outcome = await fetch({}, { refill: true }).then(
      () => "restored",
      (error: Error) => error.message,
    );
    expect(outcome).toMatch(path === "pg_wal" ? /belongs to user 0/ : /^restored$/);
    if (path === "pg_wal") expect(readlinkSync(join(dataDir, path))).toBe(outside);
    else expect(lstatSync(join(dataDir, path)).isDirectory()).toBe(true);
  });

  test("beside it makes nothing of root's theirs: an empty directory in the place of the data directory", async () => {
    chownRoot();
    symlinkSync(outside, dataDir);
    lchownSync(dataDir, 65534, 65534);
    await expect(createDataDirectory(dataDir, OWNER)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
  });
});

const MADE = { mode: 0o700, owner: OWNER, sync: "none" } as const;

function chownRoot(): void {
  lchownSync(root, 65534, 65534);
}
