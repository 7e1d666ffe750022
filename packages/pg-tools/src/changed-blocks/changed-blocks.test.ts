import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BuiltReference, referringRecord, words } from "../../test/block-records.ts";
import { type BuiltRecord, heapRecord, WalBuilder } from "../../test/wal-builder.ts";
import { summarizeWalSegment } from "../wal-records/wal-segment-summary.ts";
import { ChangedBlocks } from "./changed-blocks.ts";
import { ChangeCollector } from "./collect-changes.ts";
import type { SegmentChanges } from "./segment-changes.ts";

const MIB = 2 ** 20;
const START = 5n * 2n ** 20n;
const name = (segment: number): string => `0000000100000000000000${(5 + segment).toString(16).padStart(2, "0")}`;
const file = (fileNumber: number) => ({ tablespace: 1663, database: 5, fileNumber });

function segmentsOf(builder: WalBuilder): SegmentChanges[] {
  const bytes = builder.bytes();
  return Array.from({ length: bytes.length / MIB }, (_, segment) => {
    const piece = bytes.subarray(segment * MIB, (segment + 1) * MIB);
    const observer = new ChangeCollector();
    summarizeWalSegment(piece, { name: name(segment).toUpperCase(), observer });
    const { changes } = observer;
    if (changes === undefined) throw new Error("the segment was read");
    return changes;
  });
}

function unite(segments: readonly SegmentChanges[]): ChangedBlocks {
  const united = new ChangedBlocks();
  for (const [index, changes] of segments.entries()) united.add(changes, name(index));
  return united;
}

/** A log of these records, ended by a switch. */
function logOf(...records: readonly BuiltRecord[]): WalBuilder {
  const builder = new WalBuilder({ startLsn: START });
  for (const record of records) builder.record(record);
  builder.switchSegment();
  return builder;
}

const changesOf = (...records: readonly BuiltRecord[]): ChangedBlocks => unite(segmentsOf(logOf(...records)));

const anyReference: fc.Arbitrary<BuiltReference> = fc.record({
  fileNumber: fc.integer({ min: 16384, max: 16387 }),
  fork: fc.constantFrom(0, 0, 0, 1, 2, 3),
  block: fc.nat({ max: 3000 }),
  data: fc.constantFrom(0, 0, 1, 300),
  image: fc.constantFrom(0, 0, 50, 8000),
  imageInfo: fc.constantFrom(0, 1, 4, 5, 9, 17),
});

describe("blocks that WAL changes", () => {
  test("are those that its records refer to, wherever segments cut them", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.array(anyReference, { maxLength: 33 }), fc.constantFrom(0, 3, 255, 256, 2000)), {
          minLength: 1,
          maxLength: 12,
        }),
        // Where the end of the first segment cuts the log.
        fc.nat({ max: 60_000 }),
        (records, before) => {
          const builder = new WalBuilder({ startLsn: START });
          builder.record(heapRecord(MIB - 4000 - before));
          for (const [references, mainLength] of records) builder.record(referringRecord(references, mainLength));
          builder.record(heapRecord(100_000));
          builder.switchSegment();
          const segments = segmentsOf(builder);
          expect(segments.length).toBeGreaterThan(1);
          const united = unite(segments);
          expect(united.doubt).toBeUndefined();
          const units = new Set(
            records
              .flatMap(([references]) => references)
              .filter(({ fork }) => fork === 0)
              .map(({ fileNumber, block }) => `${fileNumber}/${Math.floor(block / 16)}`),
          );
          for (let fileNumber = 16384; fileNumber < 16388; fileNumber++)
            for (let unit = 0; unit < 200; unit++)
              expect(united.mayHaveChanged(file(fileNumber), unit * 16, unit * 16 + 16)).toBe(
                units.has(`${fileNumber}/${unit}`),
              );
        },
      ),
      { numRuns: 60 },
    );
  });

  test("are all behind the place where a file was cut off or made", () => {
    const united = changesOf(
      { rmid: 2, info: 0x20, data: words(700, 1663, 5, 16384, 1) },
      { rmid: 2, info: 0x10, data: words(1663, 5, 16385, 0) },
      // Of another fork only: both are always read.
      { rmid: 2, info: 0x20, data: words(0, 1663, 5, 16386, 6) },
      { rmid: 2, info: 0x10, data: words(1663, 5, 16386, 2) },
    );
    expect(united.mayHaveChanged(file(16384), 0, 700)).toBe(false);
    expect(united.mayHaveChanged(file(16384), 512, 701)).toBe(true);
    expect(united.mayHaveChanged(file(16384), 90_000, 90_128)).toBe(true);
    expect(united.mayHaveChanged(file(16385), 0, 128)).toBe(true);
    expect(united.mayHaveChanged(file(16386), 0, 128)).toBe(false);
  });

  test("are all of a database that was made, moved or dropped", () => {
    const united = changesOf(
      { rmid: 4, info: 0x00, data: words(6, 1663, 5, 1663) },
      { rmid: 4, info: 0x10, data: words(7, 1700) },
      { rmid: 4, info: 0x20, data: words(8, 2, 1663, 1700) },
    );
    const changed = (tablespace: number, database: number) =>
      united.mayHaveChanged({ tablespace, database, fileNumber: 16384 }, 0, 1);
    expect([changed(1663, 6), changed(1700, 7), changed(1663, 8), changed(1700, 8)]).toEqual([true, true, true, true]);
    expect([changed(1663, 5), changed(1700, 6), changed(1663, 7)]).toEqual([false, false, false]);
  });

  test.each<[string, BuiltRecord, RegExp]>([
    [
      "WAL that leaves out changes",
      { rmid: 0, info: 0x60, data: words(100, 8, 10, 0, 64, 0, 0) },
      /wal_level = minimal/,
    ],
    ["records of an extension", { rmid: 128, info: 0, data: Buffer.alloc(4) }, /extension/],
    [
      "a reference that cannot be read",
      { rmid: 10, info: 0, body: Buffer.from([40, 0, 0, 0]) },
      /could not be understood/,
    ],
    ["a change to files by who makes none", { rmid: 10, info: 1, data: Buffer.alloc(8) }, /could not be understood/],
    ["a header of one byte", { rmid: 10, info: 0, body: Buffer.from([0]) }, /could not be understood/],
    ["a header of three bytes", { rmid: 10, info: 0, body: Buffer.from([0, 0, 0]) }, /could not be understood/],
    [
      "a reference without a relation",
      { rmid: 10, info: 0, body: Buffer.from([0, 0x80, 0, 0, 1, 0, 0, 0]) },
      /understood/,
    ],
    ["lengths that do not fit", { rmid: 10, info: 0, body: Buffer.from([255, 9, 0]) }, /could not be understood/],
    ["references that end in the middle", { rmid: 10, info: 0, body: Buffer.from([0, 0x10, 0, 0, 1]) }, /understood/],
    ["a relation that ends in the middle", { rmid: 10, info: 0, body: Buffer.from([0, 0, 0, 0, 1]) }, /understood/],
    ["a long length that ends in the middle", { rmid: 10, info: 0, body: Buffer.from([254, 0, 0, 0]) }, /understood/],
    ["a file that was made, without its name", { rmid: 2, info: 0x10, data: Buffer.alloc(8) }, /understood/],
    ["a database without a name", { rmid: 4, info: 0x10, data: Buffer.alloc(4) }, /understood/],
    ["a list of tablespaces that is too short", { rmid: 4, info: 0x20, data: words(8, 9, 1663) }, /understood/],
    [
      "parameters without a level",
      { rmid: 0, info: 0x60, data: Buffer.alloc(28).subarray(0, 28), body: Buffer.from([255, 1, 0]) },
      /understood/,
    ],
  ])("are not known with %s", (_, record, doubt) => {
    const united = changesOf(record);
    expect(united.doubt).toMatch(doubt);
    expect(united.mayHaveChanged(file(16384), 0, 1)).toBe(true);
  });

  test("are known with other parameters, other records of the log, and where a record came from", () => {
    const origin = Buffer.from([
      253,
      1,
      0,
      252,
      9,
      0,
      0,
      0,
      ...(referringRecord([{ fileNumber: 16384, block: 40 }]).body ?? []),
    ]);
    const united = changesOf(
      { rmid: 0, info: 0x60, data: words(100, 8, 10, 0, 64, 1, 0) },
      { rmid: 0, info: 0x70, data: Buffer.alloc(72) },
      { rmid: 10, info: 0, body: origin },
      { rmid: 2, info: 0x30, data: Buffer.alloc(16) },
    );
    expect(united.doubt).toBeUndefined();
    expect(united.mayHaveChanged(file(16384), 32, 48)).toBe(true);
    expect(united.mayHaveChanged(file(16384), 48, 64)).toBe(false);
  });

  test("are not known when a segment is missing or is another's", () => {
    const builder = new WalBuilder({ startLsn: START });
    for (let index = 0; index < 40; index++) builder.record(heapRecord(100_000));
    builder.switchSegment();
    const segments = segmentsOf(builder);
    expect(unite(segments).doubt).toBeUndefined();
    for (let missing = 1; missing < segments.length - 1; missing++)
      expect(unite(segments.toSpliced(missing, 1)).doubt).toMatch(/follows on the one at/);
  });

  test("are not known in a segment that ends too early", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(1000));
    expect(unite(segmentsOf(builder)).doubt).toMatch(/could not be understood/);
  });

  test("are joined over a record that spans a whole segment", () => {
    const united = changesOf(
      heapRecord(MIB - 9000),
      referringRecord([{ fileNumber: 16384, block: 3, data: 60_000 }], 3 * MIB),
      referringRecord([{ fileNumber: 16385, block: 9 }]),
    );
    expect(united.doubt).toBeUndefined();
    expect([united.mayHaveChanged(file(16384), 0, 16), united.mayHaveChanged(file(16385), 0, 16)]).toEqual([
      true,
      true,
    ]);
  });

  test("are not known when the record that leads into a segment is of an extension", () => {
    for (let before = 0; before < 60; before += 4) {
      const united = changesOf(
        heapRecord(MIB - 8300 - before),
        referringRecord([{ fileNumber: 16384, block: 3 }], 0, 200),
        heapRecord(9000),
      );
      expect(united.doubt).toMatch(/extension/);
    }
  });

  /** A log in which this record begins so many bytes before the end of the first segment. */
  const crossing = (record: BuiltRecord, before: number): WalBuilder => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(MIB - 8192 * 2));
    while (builder.position % MIB < MIB - 8192) builder.record(heapRecord(64));
    // A record of main data has 24 bytes of header and 2 that say how long it is.
    for (let room = MIB - before - builder.position; room > 0; room = MIB - before - builder.position)
      builder.record(heapRecord(Math.min(200, room > 240 ? 104 : room) - 26));
    expect(builder.position).toBe(MIB - before);
    builder.record(record);
    builder.record(heapRecord(100));
    builder.switchSegment();
    return builder;
  };

  test.each([8, 16, 24, 32, 40, 48])(
    "are put together of both parts of a record that begins %d bytes before the end of a segment",
    (before) => {
      const united = unite(segmentsOf(crossing(referringRecord([{ fileNumber: 16384, block: 3 }], 300), before)));
      expect(united.doubt).toBeUndefined();
      expect(united.mayHaveChanged(file(16384), 0, 16)).toBe(true);
      const minimal = { rmid: 0, info: 0x60, data: words(100, 8, 10, 0, 64, 0, 0) };
      expect(unite(segmentsOf(crossing(minimal, before))).doubt).toMatch(/wal_level = minimal/);
      const strange = { rmid: 10, info: 0, body: Buffer.alloc(300, 40) };
      expect(unite(segmentsOf(crossing(strange, before))).doubt).toMatch(/leads into .* could not be understood/);
    },
  );

  test("are known up to where a segment is asked for, and not behind its end", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(referringRecord([{ fileNumber: 16384, block: 3 }]));
    const end = START + BigInt(builder.position);
    const doubtsUntil = (until: bigint): readonly string[] | undefined => {
      const observer = new ChangeCollector({ until });
      summarizeWalSegment(builder.bytes(), { name: name(0), observer });
      return observer.changes?.doubts;
    };
    expect(doubtsUntil(end)).toEqual([]);
    expect(doubtsUntil(end + 8n)).toEqual(["unreadable"]);
  });

  test("leave out a record that a crash cut off", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(MIB - 8240 - 130));
    builder.cutRecord(referringRecord([{ fileNumber: 16384, block: 3, data: 60_000 }]));
    builder.record({ rmid: 0, info: 0xd0, data: Buffer.alloc(16) });
    builder.record(referringRecord([{ fileNumber: 16385, block: 3 }]));
    builder.switchSegment();
    const segments = segmentsOf(builder);
    expect(segments).toHaveLength(2);
    const united = unite(segments);
    expect(united.doubt).toBeUndefined();
    expect(united.mayHaveChanged(file(16385), 0, 16)).toBe(true);
  });

  test("are named in units of any size", () => {
    const [changes] = segmentsOf(logOf(referringRecord([{ fileNumber: 16384, block: 100 }])));
    if (changes === undefined) throw new Error("there is one segment");
    const united = unite([
      { ...changes, blocksPerUnit: 64, relations: [{ ...file(16384), newFrom: undefined, units: [1, 300] }] },
    ]);
    const changed = [0, 16, 32, 48, 64, 112, 128, 19_200, 19_264].filter((block) =>
      united.mayHaveChanged(file(16384), block, block + 16),
    );
    expect(changed).toEqual([64, 112, 19_200]);
  });
});
