import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { coarsenChanges, formatChanges } from "./format-changes.ts";
import { parseChanges } from "./parse-changes.ts";
import { CHANGE_DOUBTS, type SegmentChanges } from "./segment-changes.ts";

const oid = fc.nat({ max: 0xffff_ffff });
const lsn = fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined });
const bytes = fc.uint8Array({ maxLength: 1100 }).map((array) => Buffer.from(array));
const units = fc
  .uniqueArray(fc.nat({ max: 0x0fff_ffff }), { maxLength: 40 })
  .map((list) => list.toSorted((a, b) => a - b));

const anyChanges: fc.Arbitrary<SegmentChanges> = fc.record({
  blocksPerUnit: fc.constantFrom(16, 32, 1024),
  relations: fc.array(
    fc.record({
      tablespace: oid,
      database: oid,
      fileNumber: oid,
      newFrom: fc.option(oid, { nil: undefined }),
      units,
    }),
    { maxLength: 12 },
  ),
  databases: fc.array(fc.record({ tablespace: oid, database: oid }), { maxLength: 3 }),
  doubts: fc.subarray([...CHANGE_DOUBTS]),
  firstPrevious: lsn,
  lastStart: lsn,
  cutStart: lsn,
  cut: bytes,
  continued: bytes,
});

describe("the changes of a segment", () => {
  test("are read as they were written", () => {
    fc.assert(
      fc.property(anyChanges, (changes) => {
        expect(parseChanges(formatChanges(changes))).toEqual(changes);
      }),
    );
  });

  test("are refused when they are cut off or go on", () => {
    fc.assert(
      fc.property(anyChanges, fc.nat(), (changes, at) => {
        const whole = formatChanges(changes);
        const invalid = expect.objectContaining({ code: "FORMAT_INVALID" }) as Error;
        expect(() => parseChanges(whole.subarray(0, at % whole.length))).toThrow(invalid);
        expect(() => parseChanges(Buffer.concat([whole, Buffer.of(0)]))).toThrow(invalid);
      }),
    );
  });

  test.each<[string, readonly number[], string]>([
    ["of a later version", [2], "REPOSITORY_VERSION"],
    ["without units", [1, 0, 0, 0, 0, 0, 0, 0], "FORMAT_INVALID"],
    ["with units that say nothing any more", [1, 0x81, 0x08, 0, 0, 0, 0, 0, 0], "FORMAT_INVALID"],
    ["with more databases than are kept", [1, 16, 0, 0, 0, 0, 0x81, 0x80, 0x08, 0], "FORMAT_INVALID"],
    ["with doubts that nobody has", [1, 16, 16, 0, 0, 0, 0, 0], "FORMAT_INVALID"],
    ["with positions that nobody has", [1, 16, 0, 8, 0, 0, 0, 0], "FORMAT_INVALID"],
    ["with a number that is written too long", [1, 0x90, 0, 0, 0, 0, 0, 0, 0], "FORMAT_INVALID"],
    ["with a number of 36 bits", [1, 16, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f], "FORMAT_INVALID"],
    ["with a number of six bytes", [1, 16, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 1], "FORMAT_INVALID"],
    ["with more relations than bytes", [1, 16, 0, 0, 0, 0, 0, 99], "FORMAT_INVALID"],
    ["with a unit twice", [1, 16, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 2, 3, 0], "FORMAT_INVALID"],
  ])("are refused %s", (_, content, code) => {
    expect(() => parseChanges(Buffer.from(content))).toThrow(expect.objectContaining({ code }));
  });

  test("name the same blocks, and perhaps more, in larger units", () => {
    fc.assert(
      fc.property(anyChanges, (changes) => {
        const coarse = coarsenChanges(changes);
        expect(coarse.blocksPerUnit).toBe(2 * changes.blocksPerUnit);
        for (const [index, relation] of changes.relations.entries())
          expect(coarse.relations[index]).toEqual({
            ...relation,
            units: [...new Set(relation.units.map((unit) => Math.floor(unit / 2)))],
          });
      }),
    );
  });
});
