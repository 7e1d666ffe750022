import { describe, expect, test } from "vitest";
import { pgMajorOfWalMagic } from "../majors/find-major.ts";
import { checkWalSegmentHeader } from "./check-wal-segment-header.ts";
import { readWalPageHeader, XLP_LONG_HEADER } from "./wal-page-header.ts";

interface Fields {
  magic?: number;
  flags?: number;
  timeline?: number;
  pageAddress?: bigint;
  segmentSize?: number;
  blockSize?: number;
}

function longHeader(fields: Fields = {}): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt16LE(fields.magic ?? 0xd110, 0);
  bytes.writeUInt16LE(fields.flags ?? XLP_LONG_HEADER, 2);
  bytes.writeUInt32LE(fields.timeline ?? 2, 4);
  bytes.writeBigUInt64LE(fields.pageAddress ?? 0xa9_4100_0000n, 8);
  bytes.writeBigUInt64LE(7_400_000_000_000_000_001n, 24);
  bytes.writeUInt32LE(fields.segmentSize ?? 2 ** 24, 32);
  bytes.writeUInt32LE(fields.blockSize ?? 8192, 36);
  return bytes;
}

const name = "00000002000000A900000041";

describe("the header of a WAL segment", () => {
  test("tells cluster, version, sizes, timeline and position", () => {
    const expected = {
      systemIdentifier: 7_400_000_000_000_000_001n,
      segmentSize: 2 ** 24,
      blockSize: 8192,
      timeline: 2,
      pageTimeline: 2,
      startLsn: 0xa9_4100_0000n,
      pgMajor: 15,
    };
    const bytes = longHeader({ pageAddress: 0xa9_4100_0000n });
    expect(checkWalSegmentHeader(bytes, { name, fileSize: 2 ** 24 })).toEqual({ name, ...expected });
    expect(checkWalSegmentHeader(bytes, { name: `${name}.partial` })).toEqual({ name: `${name}.partial`, ...expected });
  });

  test("may be an ancestor's, in the first segment after a switch", () => {
    const bytes = longHeader({ pageAddress: 0xa9_4100_0000n, timeline: 1 });
    expect(checkWalSegmentHeader(bytes, { name })).toMatchObject({ timeline: 2, pageTimeline: 1 });
  });

  test.each([
    ["an empty file", Buffer.alloc(0), "the file is empty"],
    ["a few bytes", Buffer.alloc(39, 1), "ends after 39 bytes"],
    ["zeros", Buffer.alloc(8192), "begins with zeros"],
    ["another version", longHeader({ magic: 0xd10d }), "magic number 0xD10D"],
    ["a big-endian machine's file", longHeader({ magic: 0x10d1 }), "magic number 0x10D1"],
    ["a page from within a segment", longHeader({ flags: 0 }), "does not have the header"],
    ["unknown flags", longHeader({ flags: XLP_LONG_HEADER | 0x10 }), "does not have the header"],
    ["an impossible segment size", longHeader({ segmentSize: 3 * 2 ** 20 }), "segment size of 3145728"],
    ["an impossible block size", longHeader({ blockSize: 512 }), "block size of 512"],
    ["a block size that is no power of two", longHeader({ blockSize: 8000 }), "block size of 8000"],
    ["a block size beyond 64 kB", longHeader({ blockSize: 2 ** 17 }), "block size of 131072"],
    ["another address", longHeader({ pageAddress: 0xa9_4000_0000n }), "that of A9/40000000, not of A9/41000000"],
    ["a younger timeline", longHeader({ pageAddress: 0xa9_4100_0000n, timeline: 3 }), "timeline 3"],
    ["timeline 0", longHeader({ pageAddress: 0xa9_4100_0000n, timeline: 0 }), "timeline 0"],
  ])("refuses %s", (_what, bytes, fact) => {
    expect(() => checkWalSegmentHeader(bytes, { name })).toThrow(
      expect.objectContaining({
        code: "WAL_INVALID",
        message: expect.stringContaining(fact) as string,
        hint: expect.stringMatching(/\.$/) as string,
      }),
    );
  });

  test("refuses a file that is shorter or longer than its segments", () => {
    const bytes = longHeader({ pageAddress: 0xa9_4100_0000n });
    for (const fileSize of [0, 8192, 2 ** 24 + 1]) {
      expect(() => checkWalSegmentHeader(bytes, { name, fileSize })).toThrow(
        expect.objectContaining({ code: "WAL_INVALID" }),
      );
    }
  });

  test("refuses names that are no segment's, or not one of this segment size", () => {
    const bytes = longHeader({ segmentSize: 2 ** 30, pageAddress: 0xa9_4100_0000n });
    for (const wrong of ["00000002.history", "RECOVERYXLOG", name]) {
      expect(() => checkWalSegmentHeader(bytes, { name: wrong })).toThrow(
        expect.objectContaining({ code: "WAL_NAME_INVALID" }),
      );
    }
  });
});

test("a page within a segment has no long part", () => {
  const page = Buffer.alloc(8192 + 40);
  longHeader({ flags: 1 }).copy(page, 8192);
  expect(readWalPageHeader(page, 8192)).toMatchObject({ pgMajor: 15, flags: 1, long: undefined });
  expect(readWalPageHeader(longHeader({ magic: 1 })).pgMajor).toBeUndefined();
  expect(pgMajorOfWalMagic(0xd118)).toBe(18);
});
