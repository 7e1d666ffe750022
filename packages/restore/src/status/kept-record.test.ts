import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { join } from "node:path";
import {
  closeKept,
  findKeptByInterrupted,
  type KeptRecord,
  keptRecordPath,
  listKept,
  readKeptRecord,
  writeKeptRecord,
} from "./kept-record.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-kept-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const RECORD: KeptRecord = {
  format: 1,
  dataDir: "/var/lib/postgresql/15/main",
  keptAs: "/var/lib/postgresql/15/main.before-restore-20260110T020000Z",
  keptAt: "2026-01-10T02:00:00.000Z",
  systemIdentifier: "7",
  moved: [{ link: "pg_wal", from: "/wal", to: "/wal.before-restore-20260110T020000Z" }],
};

test("the record of a directory that is kept is read as it was written", async () => {
  expect(await readKeptRecord(directory)).toBeUndefined();
  for (const record of [RECORD, { ...RECORD, systemIdentifier: undefined, moved: [] }]) {
    await writeKeptRecord(directory, record);
    expect(await readKeptRecord(directory)).toEqual(record);
  }
});

test.each<[string, string]>([
  ["cut off", '{"format":1'],
  ["of another version", JSON.stringify({ ...RECORD, format: 2 })],
  ["without its places", JSON.stringify({ ...RECORD, moved: [{ link: "pg_wal" }] })],
  ["of a cluster with no identifier that is one", JSON.stringify({ ...RECORD, systemIdentifier: 7 })],
])("one that is %s is refused: nothing is removed by it", async (_what, text) => {
  writeFileSync(keptRecordPath(directory), text);
  await expect(readKeptRecord(directory)).rejects.toMatchObject({ code: "FORMAT_INVALID" });
});

test("what a restore had kept that was interrupted is found again, and not what one had kept that is over", async () => {
  const dataDir = join(directory, "data");
  const keptAt = (day: number): string => join(directory, `data.before-restore-2026011${day}T020000Z`);
  for (const day of [0, 1]) {
    mkdirSync(keptAt(day));
    await writeKeptRecord(keptAt(day), { ...RECORD, dataDir, keptAs: keptAt(day), moved: [] });
  }
  expect(await findKeptByInterrupted(dataDir)).toBe(keptAt(1));
  await closeKept(dataDir, keptAt(1), new Date("2026-01-11T03:00:00Z"));
  expect(await findKeptByInterrupted(dataDir)).toBeUndefined();
  expect((await listKept(dataDir)).map(({ keptAs, restoredAt }) => [keptAs, restoredAt])).toEqual([
    [keptAt(0), undefined],
    [keptAt(1), "2026-01-11T03:00:00.000Z"],
  ]);
});

test("nothing is written to what a record names that is not kept of this directory", async () => {
  const dataDir = join(directory, "data");
  for (const path of [join(directory, "elsewhere"), `${dataDir}.before-restore-mine`]) {
    mkdirSync(path);
    await closeKept(dataDir, path, new Date());
    expect(readdirSync(path)).toEqual([]);
  }
  await closeKept(dataDir, undefined, new Date());
  expect(await findKeptByInterrupted(dataDir)).toBeUndefined();
});
