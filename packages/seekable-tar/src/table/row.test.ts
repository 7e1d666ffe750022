import { hasErrorCode } from "@soar/errors";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CODECS, MEMBER_LIMIT_BYTES } from "../codec/codec.ts";
import { decodeName } from "../tar/entry-name.ts";
import { formatRow } from "./format-row.ts";
import { parseRow } from "./parse-row.ts";
import type { TableRow } from "./row.ts";

const whole = fc.maxSafeNat();
const length = fc.nat(MEMBER_LIMIT_BYTES);
const name = fc.oneof(fc.string({ unit: "grapheme" }), fc.uint8Array().map(decodeName));
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const mtime = fc.oneof(
  whole,
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
);
const entry = fc.record({
  path: name,
  type: fc.constantFrom("file" as const, "directory" as const, "symlink" as const, "link" as const, "special" as const),
  size: whole,
  mode: fc.nat(0o7777),
  mtime,
  uid: whole,
  gid: whole,
  link: name,
  member: whole,
  offset: length,
});

const rowArbitrary: fc.Arbitrary<TableRow> = fc.oneof(
  fc.record({ kind: fc.constant("header" as const), chunkBytes: whole }),
  fc.record({ kind: fc.constant("object" as const), key: name, codec: fc.constantFrom(...CODECS) }),
  fc.record({ kind: fc.constant("archive" as const), name }),
  fc.record({ kind: fc.constant("entry" as const), entry }),
  fc.record({
    kind: fc.constant("member" as const),
    object: whole,
    offset: whole,
    storedLength: length,
    plainLength: length,
    sha256: bytes32,
    crc32c: fc.nat(0xffff_ffff),
    storedDigest: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ kind: fc.constant("archive-end" as const), members: whole, entries: whole, plainBytes: whole }),
  fc.record({ kind: fc.constant("end" as const), archives: whole }),
);

function failureOf(line: string): unknown {
  try {
    return parseRow(line);
  } catch (error) {
    return error;
  }
}

describe("a line of the seek table", () => {
  test("gives back the row that it was made of", () => {
    fc.assert(
      fc.property(rowArbitrary, (row) => {
        const line = formatRow(row);
        expect(line.indexOf("\n")).toBe(line.length - 1);
        expect(parseRow(Buffer.from(line).toString().slice(0, -1))).toEqual(row);
      }),
      { numRuns: 2000 },
    );
  });

  test("looks as documented", () => {
    const sha256 = Buffer.alloc(32, 1);
    expect(formatRow({ kind: "header", chunkBytes: 262_144 })).toBe(
      '{"format":"soar-seek-table","version":2,"digest":"sha256","chunkBytes":262144}\n',
    );
    expect(formatRow({ kind: "object", key: "base/2025-01-05/backup.tar.gz", codec: "gzip" })).toBe(
      '["o","base/2025-01-05/backup.tar.gz","gzip"]\n',
    );
    const storedDigest = Buffer.alloc(8, 2);
    const member = { object: 0, offset: 10, storedLength: 20, plainLength: 30, sha256, crc32c: 40, storedDigest };
    expect(formatRow({ kind: "member", ...member })).toBe(
      '["m",0,10,20,30,"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",40,"AgICAgICAgI="]\n',
    );
    const file = {
      path: "base/1/1259",
      type: "file",
      size: 8192,
      mode: 0o600,
      mtime: 1.5,
      uid: 26,
      gid: 27,
      link: "",
      member: 4,
      offset: 512,
    } as const;
    expect(formatRow({ kind: "entry", entry: file })).toBe('["e","base/1/1259","file",8192,384,1.5,26,27,"",4,512]\n');
  });

  test("with any damage is an error or another row, never a crash", () => {
    fc.assert(
      fc.property(rowArbitrary, fc.nat(), fc.integer({ min: 0, max: 127 }), (row, place, code) => {
        const line = formatRow(row).slice(0, -1);
        const at = place % line.length;
        const result = failureOf(line.slice(0, at) + String.fromCharCode(code) + line.slice(at + 1));
        if (result instanceof Error)
          expect(hasErrorCode(result, "FORMAT_INVALID", "REPOSITORY_VERSION"), result.stack).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    "",
    "null",
    "1",
    "{}",
    "[]",
    '["x"]',
    '["m"]',
    '["m",0,0,0,0,"AQ=="]',
    '["m",-1,0,0,0,"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",40,"AgICAgICAgI="]',
    '["m",0,0,0,0,"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="]',
    '["m",0,0,0,0,"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",4294967296,"AgICAgICAgI="]',
    '["m",0,0,0,0,"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",40,"AgICAgIC"]',
    '["z",1,2]',
    '["z",1,2,3,4]',
    '["z",1,2,1e300]',
    '["o","k","lz4"]',
  ])("is refused: %s", (line) => {
    expect(hasErrorCode(failureOf(line), "FORMAT_INVALID")).toBe(true);
  });

  test("of a later version names the version", () => {
    expect(hasErrorCode(failureOf('{"format":"soar-seek-table","version":3}'), "REPOSITORY_VERSION")).toBe(true);
    expect(
      hasErrorCode(
        failureOf('{"format":"soar-seek-table","version":2,"digest":"hmac-sha256","chunkBytes":1}'),
        "REPOSITORY_VERSION",
      ),
    ).toBe(true);
  });
});
