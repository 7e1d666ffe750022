import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chooseRelations } from "./choose-relations.ts";

const BLOCK = 1024;
const TABLES = [{ schema: "app", name: "devices" }];

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-catalogs-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Pages of a table with these rows, as many in each as have room. */
function pagesOf(rows: readonly Buffer[]): Buffer {
  const pages: Buffer[] = [];
  let [pointer, upper] = [BLOCK, 0];
  for (const data of rows) {
    const length = 24 + data.length;
    if (upper - length < pointer + 4) {
      pages.push(Buffer.alloc(BLOCK));
      [pointer, upper] = [24, BLOCK];
    }
    const page = pages.at(-1) ?? Buffer.of();
    upper -= length;
    page.writeUInt8(24, upper + 22);
    data.copy(page, upper + 24);
    page.writeUInt32LE(((length << 17) | (1 << 15) | upper) >>> 0, pointer);
    pointer += 4;
    page.writeUInt16LE(pointer, 12);
  }
  return Buffer.concat(pages);
}

function classRow(oid: number, name: string, fileNumber: number, { namespace = 2200, toast = 0 } = {}): Buffer {
  const row = Buffer.alloc(140);
  for (const [at, value] of [
    [0, oid],
    [68, namespace],
    [88, fileNumber],
    [108, toast],
  ] as const)
    row.writeUInt32LE(value, at);
  row.write(name, 4);
  return row;
}

function namespaceRow(oid: number, name: string): Buffer {
  const row = Buffer.alloc(72);
  row.writeUInt32LE(oid, 0);
  row.write(name, 4);
  return row;
}

function pairRow(part: number, whole: number): Buffer {
  const row = Buffer.alloc(16);
  row.writeUInt32LE(part, 0);
  row.writeUInt32LE(whole, 4);
  return row;
}

const write = (name: string, rows: readonly Buffer[]): void => writeFileSync(join(root, name), pagesOf(rows));

const CATALOG_ROWS = [
  classRow(2615, "pg_namespace", 2615),
  classRow(2610, "pg_index", 2610),
  classRow(2611, "pg_inherits", 2611),
  classRow(2608, "pg_depend", 2608),
];

const choose = (directories = [root]) =>
  chooseRelations({ tables: TABLES, directories, blockSize: BLOCK, postgresMajor: 17 });

test("a table goes with its partitions, their indexes and TOAST tables, by every file that a row ever gave them", async () => {
  write("2615", [namespaceRow(2200, "app"), namespaceRow(2201, "other")]);
  write("2610", [pairRow(16_402, 16_401), pairRow(16_404, 16_403), pairRow(16_411, 16_410)]);
  write("2611", [pairRow(16_401, 16_400)]);
  write("2608", []);
  write("1259", [
    ...CATALOG_ROWS,
    classRow(16_400, "devices", 0),
    classRow(16_401, "devices_1", 20_001, { toast: 16_403 }),
    classRow(16_401, "devices_1", 20_101, { toast: 16_403 }),
    classRow(16_402, "devices_1_key", 20_002),
    classRow(16_403, "pg_toast_16401", 20_003, { namespace: 99 }),
    classRow(16_404, "pg_toast_16401_index", 20_004, { namespace: 99 }),
    classRow(16_410, "devices", 20_010, { namespace: 2201 }),
    classRow(16_411, "devices_key", 20_011, { namespace: 2201 }),
  ]);
  const chosen = await choose();
  expect(chosen).toMatchObject({ complete: true });
  expect([...(chosen.doubt === undefined ? chosen.fileNumbers : [])].toSorted((a, b) => a - b)).toEqual([
    2608, 2610, 2611, 2615, 20_001, 20_002, 20_003, 20_004, 20_101,
  ]);
});

test("catalogs that lie in files which are not there yet are to be fetched first", async () => {
  write("1259", [...CATALOG_ROWS, classRow(2610, "pg_index", 30_000)]);
  write("2615", []);
  write("2611", []);
  write("2608", []);
  expect(await choose()).toEqual({ fileNumbers: new Set([2610, 30_000]), complete: false });
});

test("more partitions than are looked through are a doubt, and no end of the memory", async () => {
  write("2615", [namespaceRow(2200, "app")]);
  write("1259", [...CATALOG_ROWS, classRow(16_400, "devices", 20_000)]);
  for (const name of ["2610", "2608"]) write(name, []);
  write(
    "2611",
    Array.from({ length: 500_001 }, (_, at) => pairRow(20_000 + at, 16_400)),
  );
  expect(await choose()).toEqual({
    doubt: expect.stringContaining("more relations than are looked through") as string,
  });
});
