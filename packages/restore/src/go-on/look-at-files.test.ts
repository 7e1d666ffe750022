import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BackupFile } from "./backup-pages.ts";
import type { BackupSide } from "./page-judge.ts";
import { lookAtFiles, newZeros, type Looked } from "./look-at-files.ts";

const RULES = {
  postgresMajor: 15,
  blockSize: 8192,
  blocksPerRelationFile: 131_072,
  checksums: false,
  mayBeWritten: false,
};
let root: string;
const inRoot = (...names: readonly string[]): string => join(root, ...names);
const places = () => ({ dataDir: inRoot("data"), tablespaces: new Map([[16_400, inRoot("space")]]) });
/** A page in use for 1, one of zeros for 0. */
const pages = (...uses: readonly number[]): Buffer => Buffer.concat(uses.map((use) => Buffer.alloc(8192, use)));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-look-"));
  for (const directory of [
    "data/base/1",
    "data/pg_xact",
    "data/pg_wal",
    "data/soar-restore",
    "space/PG_15_202209061/1",
  ])
    mkdirSync(inRoot(directory), { recursive: true });
  for (const name of ["data/base/1/1259", "data/base/1/1259_fsm", "data/pg_xact/0000", "space/PG_15_202209061/1/2000"])
    writeFileSync(inRoot(name), pages(1, 0, 1));
  for (const name of ["data/base/1/pg_internal.init", "data/base/1/t3_2000", "data/pg_wal/000000010000000000000001"])
    writeFileSync(inRoot(name), "what a server makes anew");
});
afterEach(() => rmSync(root, { recursive: true }));

/** A backup with this content of each file, and WAL from 0/200 to 0/900. */
function sideOf(content: (name: string) => Promise<Buffer>): BackupSide {
  return {
    startLsn: 0x200n,
    endOfWal: async () => 0x900n,
    isRecovering: async () => true,
    removals: { sinceListed: async () => undefined, duringBackup: async () => undefined },
    pages: {
      hasDatabaseOf: async () => true,
      open: (name) =>
        new BackupFile(async function* from(position) {
          yield (await content(name)).subarray(position);
        }),
    },
  };
}

const look = (more: Partial<Parameters<typeof lookAtFiles>[0]> = {}): Promise<Looked> =>
  lookAtFiles({ ...places(), rules: RULES, list: undefined, ...more });
const since = async (): Promise<Parameters<typeof lookAtFiles>[0]["list"]> => {
  const { files } = await look();
  // The kernel's clock of file times goes on in steps: whatever is written from here on has a later time.
  const newest = [...files.values()].reduce((newer, { ctimeNs }) => (ctimeNs > newer ? ctimeNs : newer), 0n);
  do writeFileSync(inRoot("clock"), "");
  while (statSync(inRoot("clock"), { bigint: true }).ctimeNs <= newest);
  return { moment: "at-target", files };
};

test("without a list every file of relations and transactions is read, those of tablespaces by their links", async () => {
  const looked = await look();
  expect(looked.readFiles.map(({ file, zeros }) => [file.name, zeros])).toEqual([
    ["base/1/1259", [{ first: 1, last: 1 }]],
    ["base/1/1259_fsm", []],
    ["pg_xact/0000", [{ first: 1, last: 1 }]],
    ["pg_tblspc/16400/PG_15_202209061/1/2000", [{ first: 1, last: 1 }]],
  ]);
  expect(looked).toMatchObject({ untouched: 0, readBytes: 4 * 3 * 8192 });
});

test("what nobody has touched is not read", async () => {
  const looked = await look({ list: await since() });
  expect(looked).toMatchObject({ untouched: 4, readFiles: [], readBytes: 0, lessThere: [] });
});

test("what was written is read, whatever its times were set to, and only pages that were in use count", async () => {
  const list = await since();
  writeFileSync(inRoot("data/base/1/1259"), pages(0, 0, 1, 0));
  utimesSync(inRoot("data/base/1/1259"), 1, 1);
  const { readFiles, untouched } = await look({ list });
  expect(untouched).toBe(3);
  expect(readFiles.map((file) => [file.file.name, newZeros(file, 8192)])).toEqual([
    ["base/1/1259", [{ first: 0, last: 0 }]],
  ]);
});

test("what is gone or was cut off is named", async () => {
  const list = await since();
  truncateSync(inRoot("data/base/1/1259"), 8192);
  rmSync(inRoot("space/PG_15_202209061/1/2000"));
  expect((await look({ list })).lessThere).toEqual([
    { name: "base/1/1259", listed: 3 * 8192, now: 8192 },
    { name: "pg_tblspc/16400/PG_15_202209061/1/2000", listed: 3 * 8192, now: 0 },
  ]);
});

test("a link in the place of a file is not followed", async () => {
  const list = await since();
  rmSync(inRoot("data/base/1/1259"));
  symlinkSync("/etc/passwd", inRoot("data/base/1/1259"));
  await expect(look({ list })).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
});

test("with checksums a page that is no page is told, unless it was so in the backup", async () => {
  const rules = { ...RULES, checksums: true };
  const { readFiles } = await look({ rules });
  expect(readFiles[0]).toMatchObject({ fault: { kind: "damage", block: 0, why: "its checksum is wrong" } });
  const asked: string[] = [];
  const backup = sideOf(async (name) => {
    asked.push(name);
    return pages(1, 0, 1);
  });
  expect((await look({ rules: { ...rules, backup } })).readFiles.map(({ fault }) => fault)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(asked).toContain("base/1/1259");
});

test("times of commits are compared with the backup, and their files may be gone", async () => {
  mkdirSync(inRoot("data/pg_commit_ts"));
  const name = inRoot("data/pg_commit_ts/0000");
  writeFileSync(name, pages(3));
  const list = await since();
  const backup = sideOf(async () => pages(3));
  writeFileSync(name, pages(4));
  const { readFiles } = await look({ list, rules: { ...RULES, backup } });
  expect(readFiles.map(({ file, fault }) => [file.name, fault])).toEqual([
    ["pg_commit_ts/0000", { kind: "damage", block: 0, why: "a transaction that had ended has ended at another time" }],
  ]);
  rmSync(name);
  expect(await look({ list, rules: { ...RULES, backup } })).toMatchObject({ readFiles: [], lessThere: [] });
});

test("files are read in the order of the backup, several at once and never more than asked for", async () => {
  const names = Array.from({ length: 12 }, (_, at) => `base/1/${3000 + at}`);
  for (const name of names) writeFileSync(inRoot("data", name), pages(1));
  const order = new Map(names.map((name, at) => [name, (at * 7) % 12]));
  let [now, most] = [0, 0];
  const all = Promise.withResolvers<void>();
  const side = sideOf(async () => {
    most = Math.max(most, (now += 1));
    if (now === 3) all.resolve();
    await all.promise;
    now -= 1;
    return pages(1);
  });
  const backup = { ...side, pages: { ...side.pages, placeOf: async (name: string) => order.get(name) ?? Infinity } };
  const { readFiles } = await look({ rules: { ...RULES, backup }, jobs: 3 });
  const ordered = names.toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  expect(readFiles.slice(0, 12).map(({ file }) => file.name)).toEqual(ordered);
  expect(most).toBe(3);
});
