import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classRows, parseFileNodeMap } from "./catalog-rows.ts";
import { heapTuples } from "./heap-tuples.ts";

const BLOCK = 8192;

/** A page with tuples of this data, as heapam lays them out: from the end of the page downwards. */
function pageWith(tuples: readonly Buffer[]): Buffer {
  const page = Buffer.alloc(BLOCK);
  let upper = BLOCK;
  tuples.forEach((data, index) => {
    const length = 24 + data.length;
    upper -= Math.ceil(length / 8) * 8;
    page.writeUInt8(24, upper + 22);
    data.copy(page, upper + 24);
    page.writeUInt32LE(((length << 17) | (1 << 15) | upper) >>> 0, 24 + index * 4);
  });
  page.writeUInt16LE(24 + tuples.length * 4, 12);
  page.writeUInt16LE(upper, 14);
  return page;
}

describe("the tuples of heap pages", () => {
  test("are all read, over any number of pages", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), { maxLength: 4 }),
        (pages) => {
          const data = pages.map((tuples) => tuples.map((tuple) => Buffer.from(tuple)));
          expect([...heapTuples(Buffer.concat(data.map(pageWith)), BLOCK)]).toEqual(data.flat());
        },
      ),
    );
  });

  test("are no more than a page has room for, however many pointers lead to one of them", () => {
    const page = pageWith([Buffer.alloc(100)]);
    const pointer = page.readUInt32LE(24);
    for (let at = 24; at < 8000; at += 4) page.writeUInt32LE(pointer, at);
    page.writeUInt16LE(8000, 12);
    expect([...heapTuples(page, BLOCK)]).toHaveLength(291);
  });

  test("whatever the bytes, as of a torn page: nothing outside of the page is read", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (bytes) => {
        for (const data of heapTuples(Buffer.from(bytes), 512)) expect(data.length).toBeLessThan(512);
      }),
    );
  });
});

test("rows of pg_class are read by version, because 18 has one column more before the TOAST table", () => {
  const row = Buffer.alloc(140);
  row.writeUInt32LE(16_385, 0);
  row.write("devices", 4);
  row.writeUInt32LE(2200, 68);
  row.writeUInt32LE(16_390, 88);
  row.writeUInt32LE(16_386, 108);
  row.writeUInt32LE(16_387, 112);
  const expected = { oid: 16_385, name: "devices", namespace: 2200, fileNumber: 16_390 };
  expect(classRows(pageWith([row]), BLOCK, 17)).toEqual([{ ...expected, toast: 16_386 }]);
  expect(classRows(pageWith([row]), BLOCK, 18)).toEqual([{ ...expected, toast: 16_387 }]);
});

test("the map of catalogs is read, and no further than it reaches", () => {
  const map = Buffer.alloc(24);
  map.writeInt32LE(2, 4);
  [1259, 40_000, 1249, 1249].forEach((value, index) => map.writeUInt32LE(value, 8 + index * 4));
  expect([...parseFileNodeMap(map)]).toEqual([
    [1259, 40_000],
    [1249, 1249],
  ]);
  expect([...parseFileNodeMap(map.subarray(0, 16))]).toEqual([[1259, 40_000]]);
  expect([...parseFileNodeMap(Buffer.alloc(0))]).toEqual([]);
});
