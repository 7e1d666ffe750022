import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NAME, scan, START } from "../../test/scan-wal.ts";
import {
  BUILT_SYSTEM_IDENTIFIER,
  type BuiltRecord,
  commitRecord,
  heapRecord,
  timestampBytes,
  WalBuilder,
} from "../../test/wal-builder.ts";
import { createWalScanner } from "./wal-scanner.ts";
import { POSTGRES_EPOCH_MICROSECONDS } from "./record-fields.ts";

const MIB = 2 ** 20;

/** Bytes of the page at this index, to be damaged in place. */
const page = (bytes: Buffer, index: number): Buffer => bytes.subarray(index * 8192, (index + 1) * 8192);

describe("a WAL scanner", () => {
  test("finds all records, whatever their lengths and however the bytes arrive", () => {
    const lengths = fc.array(
      fc.oneof(fc.nat(300), fc.nat(20_000), fc.constantFrom(8110, 8136, 8144, 8152, 8160, 8168, 8176)),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(lengths, fc.constantFrom(1, 39, 40, 41, 1000, 8192, 9000, 100_000, MIB), (sizes, pieceSize) => {
        const builder = new WalBuilder({ startLsn: START });
        const lsns = sizes.map((size, xid) =>
          builder.record({ rmid: xid % 3 === 0 ? 1 : 10, info: 0, xid, data: Buffer.alloc(Math.max(8, size), xid) }),
        );
        const end = START + BigInt(builder.position);
        const { records, scanner } = scan(builder.bytes(), pieceSize === 1 && sizes.length > 10 ? 777 : pieceSize);
        expect(records.map(({ lsn }) => lsn)).toEqual(lsns);
        expect(records.map((record) => record.kind)).toEqual(
          sizes.map((_, xid) => (xid % 3 === 0 ? "commit" : "other")),
        );
        expect(records.at(-1)?.endLsn).toBe(end);
        expect(scanner).toMatchObject({ validEndLsn: end, endsInsideRecord: false, end: { cause: "zeros", lsn: end } });
      }),
      { numRuns: 60 },
    );
  });

  test("tells where it is before, while and after reading", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(commitRecord(1, 1n));
    const scanner = createWalScanner({ name: NAME });
    expect(scanner).toMatchObject({
      header: undefined,
      startsInsideRecord: false,
      endsInsideRecord: false,
      endsInsideTransactionEnd: false,
      end: undefined,
    });
    expect(() => scanner.validEndLsn).toThrow(expect.objectContaining({ code: "WAL_INVALID" }));
    expect(() => scanner.finish()).toThrow(expect.objectContaining({ code: "WAL_INVALID" }));
    scanner.push(builder.bytes());
    expect(scanner.header).toMatchObject({ name: NAME, systemIdentifier: BUILT_SYSTEM_IDENTIFIER, segmentSize: MIB });
    const { lsn } = scanner.end ?? { lsn: 0n };
    expect(scanner.push(builder.bytes())).toEqual([]);
    expect(scanner.end?.lsn).toBe(lsn);
  });

  test("refuses bytes that are not those of the segment named", () => {
    const refused = expect.objectContaining({ code: "WAL_INVALID" }) as Error;
    expect(() => scan(Buffer.alloc(MIB))).toThrow(refused);
    const builder = new WalBuilder({ startLsn: START + BigInt(MIB) });
    builder.record(commitRecord(1, 1n));
    const scanner = createWalScanner({ name: NAME });
    for (let attempt = 0; attempt < 2; attempt++) expect(() => scanner.push(builder.bytes())).toThrow(refused);
  });

  test("reports only decoded records unless asked for all", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(100));
    builder.record(commitRecord(7, 5n));
    expect(scan(builder.bytes(), MIB, {}).records).toEqual([
      expect.objectContaining({
        kind: "commit",
        xid: 7,
        time: POSTGRES_EPOCH_MICROSECONDS + 5n,
        lsn: START + 40n + 128n,
        endLsn: START + BigInt(builder.position),
        previousEndLsn: START + 168n,
      }),
    ]);
  });

  test("carries a record over segments, and over a segment that lies wholly within it", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(100));
    const big = builder.record(heapRecord(2.5 * MIB));
    const commit = builder.record(commitRecord(9, 1n));
    const bytes = builder.bytes();
    const scanner = createWalScanner({ name: NAME, everyRecord: true });
    expect(scanner.push(bytes.subarray(0, MIB))).toHaveLength(1);
    expect(scanner).toMatchObject({
      endsInsideRecord: true,
      endsInsideTransactionEnd: false,
      end: undefined,
      validEndLsn: big,
    });
    expect(scanner.push(bytes.subarray(MIB, 2 * MIB))).toEqual([]);
    expect(scanner.push(bytes.subarray(2 * MIB)).map(({ lsn }) => lsn)).toEqual([big, commit]);

    const middle = createWalScanner({ name: "000000010000000000000006", everyRecord: true });
    expect(middle.push(bytes.subarray(MIB, 2 * MIB))).toEqual([]);
    expect(middle).toMatchObject({
      startsInsideRecord: true,
      endsInsideRecord: true,
      endsInsideTransactionEnd: true,
      validEndLsn: START + BigInt(MIB),
    });
    const [first] = middle.push(bytes.subarray(2 * MIB));
    expect(first).toMatchObject({ lsn: commit, previousEndLsn: commit });
    expect(middle.endsInsideRecord).toBe(false);
  });

  test("knows when the record that is cut off at the end is a commit, or may be one", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(MIB - builder.blockSize * 24 - 20_000));
    while (builder.position < MIB - 200) builder.record(heapRecord(40));
    builder.record({ rmid: 1, info: 0, xid: 3, data: Buffer.alloc(2000, 1) });
    expect(scan(builder.bytes().subarray(0, MIB)).scanner).toMatchObject({
      endsInsideRecord: true,
      endsInsideTransactionEnd: true,
    });
    const { records } = scan(builder.bytes());
    expect(records.at(-1)).toMatchObject({ kind: "commit", xid: 3 });
  });

  test("resumes behind a switch record and does not look at the padding", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(commitRecord(1, 1n));
    const switched = builder.switchSegment();
    const commit = builder.record(commitRecord(2, 2n));
    const bytes = builder.bytes();
    bytes.fill(0x55, 20_000, MIB);
    const { records, scanner } = scan(bytes);
    expect(records.map(({ kind, lsn }) => [kind, lsn])).toEqual([
      ["commit", START + 40n],
      ["switch", switched],
      ["commit", commit],
    ]);
    expect(records[1]?.endLsn).toBe(START + BigInt(MIB));
    expect(records[2]?.previousEndLsn).toBe(START + BigInt(MIB));
    expect(scanner.end?.cause).toBe("zeros");
    expect(scan(bytes.subarray(0, MIB)).scanner).toMatchObject({ validEndLsn: START + BigInt(MIB), end: undefined });
  });

  test("counts from the page's start where the record before ended with its page", () => {
    const first = new WalBuilder({ startLsn: START });
    first.record(commitRecord(1, 1n));
    expect(scan(first.bytes()).records[0]).toMatchObject({ lsn: START + 40n, previousEndLsn: START });
    const second = new WalBuilder({ startLsn: START });
    second.continuation(100);
    second.record(commitRecord(1, 1n));
    expect(scan(second.bytes()).records[0]).toMatchObject({ lsn: START + 144n, previousEndLsn: START + 144n });
  });

  test("forgets a record that a crash cut off, and takes the one that stands in its place", () => {
    for (const length of [9000, MIB]) {
      const builder = new WalBuilder({ startLsn: START });
      builder.record(commitRecord(1, 1n));
      const cut = builder.cutRecord(heapRecord(length));
      const lsnBytes = Buffer.alloc(8);
      lsnBytes.writeBigUInt64LE(cut);
      const overwrite = builder.record({ rmid: 0, info: 0xd0, data: Buffer.concat([lsnBytes, timestampBytes(77n)]) });
      builder.record(commitRecord(2, 2n));
      expect(scan(builder.bytes()).records).toMatchObject([
        { kind: "commit", xid: 1 },
        {
          kind: "overwrite-contrecord",
          lsn: overwrite,
          overwrittenLsn: cut,
          time: POSTGRES_EPOCH_MICROSECONDS + 77n,
          previousEndLsn: cut,
        },
        { kind: "commit", xid: 2 },
      ]);
    }
  });

  test("forgets a record from before the first segment just so", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.continuation(8152);
    builder.record(commitRecord(2, 2n));
    const bytes = builder.bytes();
    page(bytes, 0).writeUInt32LE(20_000, 16);
    page(bytes, 1).writeUInt16LE(8, 2);
    expect(scan(bytes)).toMatchObject({
      records: [{ kind: "commit", xid: 2, previousEndLsn: START + 8192n }],
      scanner: { startsInsideRecord: true },
    });
  });

  test("follows a log onto a younger timeline, never onto an older one", () => {
    const builder = new WalBuilder({ startLsn: START, timeline: 1 });
    builder.record(heapRecord(20_000));
    builder.timeline = 2;
    builder.record(heapRecord(20_000));
    const name = "000000020000000000000005";
    const scanner = createWalScanner({ name, everyRecord: true });
    expect(scanner.push(builder.bytes())).toHaveLength(2);
    expect(scanner.header).toMatchObject({ timeline: 2, pageTimeline: 1 });
    const bytes = builder.bytes();
    page(bytes, 4).writeUInt32LE(1, 4);
    const broken = createWalScanner({ name, everyRecord: true });
    expect(broken.push(bytes)).toHaveLength(1);
    expect(broken.end).toMatchObject({
      cause: "invalid",
      fact: "the page was written on timeline 1, the one before on 2",
    });
  });
});

describe("the end of WAL", () => {
  /** Three pages: small records, and one that reaches from the first to the third. */
  function sample(): { bytes: Buffer; builder: WalBuilder; lsns: bigint[] } {
    const builder = new WalBuilder({ startLsn: START });
    const lsns = [
      builder.record(commitRecord(1, 1n)),
      builder.record(heapRecord(10)),
      builder.record(heapRecord(15_000)),
      builder.record(commitRecord(2, 2n)),
    ];
    return { bytes: builder.bytes(), builder, lsns };
  }
  const damage: readonly (readonly [string, (bytes: Buffer, lsns: bigint[]) => void, number, string, RegExp])[] = [
    ["a page not yet written", (bytes) => page(bytes, 1).fill(0), 2, "zeros", /page is empty/],
    [
      "a page of the file's earlier life",
      (bytes) => page(bytes, 1).writeBigUInt64LE(0x1000n, 8),
      2,
      "recycled",
      /page is that of 0\/1000/,
    ],
    [
      "a page of the future",
      (bytes) => page(bytes, 1).writeBigUInt64LE(2n ** 40n, 8),
      2,
      "invalid",
      /page is that of 100\/0/,
    ],
    [
      "a page of another version",
      (bytes) => page(bytes, 1).writeUInt16LE(0xd113, 0),
      2,
      "invalid",
      /magic number 0xd113/,
    ],
    ["a page of no version", (bytes) => page(bytes, 1).writeUInt16LE(0xffff, 0), 2, "invalid", /magic number 0xffff/],
    ["a page with unknown flags", (bytes) => page(bytes, 1).writeUInt16LE(0x11, 2), 2, "invalid", /flags 0x11/],
    [
      "a page that does not continue the record",
      (bytes) => page(bytes, 1).writeUInt16LE(0, 2),
      2,
      "invalid",
      /continues a record by 0 bytes/,
    ],
    [
      "a page that continues another record",
      (bytes) => page(bytes, 1).writeUInt32LE(6000, 16),
      2,
      "invalid",
      /continues a record by 6000 bytes/,
    ],
    [
      "a long header of another cluster",
      (bytes) => page(bytes, 1).writeUInt16LE(3, 2),
      2,
      "invalid",
      /another cluster/,
    ],
    ["a flipped bit in a small record", (bytes, lsns) => flip(bytes, lsns, 1, 30), 1, "invalid", /wrong checksum/],
    ["a flipped bit in a large record", (bytes) => (page(bytes, 1)[4000] = 0), 2, "invalid", /wrong checksum/],
    ["an unknown resource manager", (bytes, lsns) => flip(bytes, lsns, 1, 17), 1, "invalid", /resource manager 75/],
    [
      "a record that names another predecessor",
      (bytes, lsns) => flip(bytes, lsns, 1, 8),
      1,
      "invalid",
      /does not follow/,
    ],
    [
      "a length that is too small",
      (bytes, lsns) => bytes.writeUInt32LE(23, Number((lsns[1] ?? 0n) - START)),
      1,
      "invalid",
      /length of 23/,
    ],
    [
      "no further record",
      (bytes, lsns) => bytes.fill(0, Number((lsns[1] ?? 0n) - START), 8192),
      1,
      "zeros",
      /no record has been written/,
    ],
  ];
  function flip(bytes: Buffer, lsns: readonly bigint[], index: number, offset: number): void {
    const at = Number((lsns[index] ?? 0n) - START) + offset;
    bytes[at] = (bytes[at] ?? 0) ^ 0x41;
  }

  test.each(damage)("is found at %s", (_what, change, valid, cause, fact) => {
    const { bytes, lsns } = sample();
    change(bytes, lsns);
    const { records, scanner } = scan(bytes);
    expect(records.map(({ lsn }) => lsn)).toEqual(lsns.slice(0, valid));
    expect(scanner.end).toEqual({ cause, fact: expect.stringMatching(fact) as string, lsn: lsns[valid] });
    expect(scanner).toMatchObject({ validEndLsn: lsns[valid], endsInsideRecord: false });
  });

  test("is found when the first page of the next segment has a short header, or that of another cluster", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(1.5 * MIB));
    const short = builder.bytes();
    short.writeUInt16LE(1, MIB + 2);
    expect(scan(short).scanner.end).toMatchObject({ cause: "invalid", fact: "the page has the flags 0x1" });
    for (const offset of [24, 32, 36]) {
      const other = builder.bytes();
      other.writeUInt32LE(1, MIB + offset);
      expect(scan(other).scanner.end).toMatchObject({ cause: "invalid", fact: "the page is that of another cluster" });
    }
  });

  test("is found where a record header that is cut by a page's end turns out to be wrong", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(8192 - 40 - 24 - 5 - 16));
    builder.previousLsn -= 8n;
    const lsn = builder.record(heapRecord(500));
    expect(Number(lsn - START) % 8192).toBeGreaterThan(8192 - 24);
    expect(scan(builder.bytes())).toMatchObject({ records: [{}], scanner: { end: { cause: "invalid", lsn } } });
  });

  test("is found at a first page that claims to continue nothing", () => {
    const builder = new WalBuilder({ startLsn: START });
    builder.record(heapRecord(10));
    const bytes = builder.bytes();
    bytes.writeUInt16LE(3, 2);
    expect(scan(bytes)).toMatchObject({ records: [], scanner: { end: { cause: "invalid" } } });
  });

  const shapes: readonly (readonly [string, BuiltRecord])[] = [
    ["main data that is too short", { rmid: 1, info: 0, data: Buffer.alloc(7) }],
    ["a block reference", { rmid: 1, info: 0, body: Buffer.from([0, 1, 2, 3]) }],
    ["main data that ends early", { rmid: 1, info: 0, body: Buffer.from([255, 2, 1, 1, 1]) }],
    ["long main data that ends late", { rmid: 1, info: 0, body: Buffer.from([254, 9, 0, 0, 0, 1]) }],
    ["a cut length", { rmid: 1, info: 0, body: Buffer.from([255]) }],
    ["a cut long length", { rmid: 1, info: 0, body: Buffer.from([254, 1, 0]) }],
    ["an origin that is cut", { rmid: 1, info: 0, body: Buffer.from([253, 1]) }],
    ["a restore point without a name", { rmid: 0, info: 0x70, data: Buffer.alloc(8) }],
    ["a prepared transaction without its header", { rmid: 1, info: 0x10, data: Buffer.alloc(8) }],
  ];
  test.each(shapes)("is found at a record with %s, although its checksum is right", (_what, record) => {
    const builder = new WalBuilder({ startLsn: START });
    const lsn = builder.record(record);
    expect(scan(builder.bytes())).toMatchObject({
      records: [],
      scanner: {
        end: { cause: "invalid", lsn: START, fact: expect.stringContaining("parts that its type") as string },
      },
    });
    expect(lsn).toBe(START + 40n);
  });
});
