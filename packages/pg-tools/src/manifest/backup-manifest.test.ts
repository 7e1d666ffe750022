import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { requireMajor } from "../majors/find-major.ts";
import type { BackupManifest, ManifestFile } from "./backup-manifest.ts";
import { CHECKSUM_ALGORITHMS, CHECKSUM_SIZES } from "./checksum-algorithm.ts";
import { formatBackupManifest } from "./format-manifest.ts";
import { createManifestReader, parseBackupManifest } from "./manifest-reader.ts";

const parse = (text: string): BackupManifest => parseBackupManifest(Buffer.from(text));
const checksums = fc
  .constantFrom(...CHECKSUM_ALGORITHMS)
  .chain((algorithm) =>
    fc
      .uint8Array({ minLength: CHECKSUM_SIZES[algorithm], maxLength: CHECKSUM_SIZES[algorithm] })
      .map((bytes) => ({ algorithm, value: Buffer.from(bytes).toString("hex") })),
  );
const notUtf8 = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((tail) => Buffer.from([0x62, 0xff, ...tail]));
const files: fc.Arbitrary<ManifestFile> = fc
  .record({
    name: fc.oneof(fc.string({ minLength: 1, unit: "grapheme" }), notUtf8),
    size: fc.nat(),
    lastModified: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => new Date(seconds * 1000)),
    checksum: fc.option(checksums, { nil: undefined }),
  })
  .map(({ name, ...rest }) =>
    typeof name === "string"
      ? { path: name, pathBytes: undefined, ...rest }
      : { path: name.toString("utf8"), pathBytes: name, ...rest },
  );
const lsns = fc.bigInt(0n, 2n ** 64n - 1n);
const manifests = fc
  .record({
    identifier: fc.option(fc.bigInt(1n, 2n ** 64n - 1n), { nil: undefined }),
    files: fc.array(files, { maxLength: 6 }),
    walRanges: fc.array(
      fc.record({ timeline: fc.integer({ min: 1, max: 2 ** 32 - 1 }), startLsn: lsns, endLsn: lsns }),
      { maxLength: 3 },
    ),
  })
  .map(({ identifier, ...rest }) => ({
    version: identifier === undefined ? (1 as const) : (2 as const),
    systemIdentifier: identifier,
    ...rest,
  }));

describe("a backup manifest", () => {
  test("survives writing and reading in pieces of any size", () => {
    fc.assert(
      fc.property(manifests, fc.integer({ min: 1, max: 100 }), (manifest, pieceSize) => {
        const bytes = Buffer.from(formatBackupManifest(manifest, requireMajor(15)));
        const read: ManifestFile[] = [];
        const reader = createManifestReader((file) => read.push(file));
        for (let at = 0; at < bytes.length; at += pieceSize) reader.push(bytes.subarray(at, at + pieceSize));
        expect({ ...reader.finish(), files: read }).toEqual({
          ...manifest,
          checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        });
      }),
    );
  });

  test("with a flipped bit, a lost line or a lost end is refused", () => {
    fc.assert(
      fc.property(manifests, fc.nat(), fc.integer({ min: 0, max: 7 }), (manifest, at, bit) => {
        const bytes = Buffer.from(formatBackupManifest(manifest, requireMajor(15)));
        const offset = at % bytes.length;
        bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
        // Hexadecimal digits in the checksum line may be written in capitals.
        fc.pre(!/^[A-F]$/.test(String.fromCharCode(bytes[offset] ?? 0)));
        expect(() => parseBackupManifest(bytes)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
        expect(() => parseBackupManifest(bytes.subarray(0, offset))).toThrow(
          expect.objectContaining({ code: "FORMAT_INVALID" }),
        );
      }),
    );
  });

  const file =
    '{ "Path": "PG_VERSION", "Size": 3, "Last-Modified": "2026-11-24 03:28:24 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "64440205" }';
  const range = '{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }';
  const withLines = (version: string, fileLine: string, rangeLine: string): string => {
    const text = `{ "PostgreSQL-Backup-Manifest-Version": ${version},\n"Files": [\n${fileLine}\n],\n"WAL-Ranges": [\n${rangeLine}\n],\n`;
    return `${text}"Manifest-Checksum": "${createHash("sha256").update(text).digest("hex").toUpperCase()}"}\n`;
  };

  test("may write its checksum in capitals", () => {
    expect(parse(withLines("1", file, range)).files).toHaveLength(1);
  });

  test("may hold the bytes of a path that is no UTF-8, and those of one that is", () => {
    const encoded = (hex: string) => file.replace('"Path": "PG_VERSION"', `"Encoded-Path": "${hex}"`);
    const [odd] = parse(withLines("1", encoded("62ff63"), range)).files;
    expect(odd?.pathBytes).toEqual(Buffer.from("62ff63", "hex"));
    const [plain] = parse(withLines("1", encoded("50475f56"), range)).files;
    expect(plain).toMatchObject({ path: "PG_V", pathBytes: undefined });
  });

  test.each([
    ["another version", withLines("3", file, range)],
    ["no system identifier in version 2", withLines("2", file, range)],
    ["a system identifier in version 1", withLines('1,\n"System-Identifier": 5', file, range)],
    ["a file that is no object", withLines("1", '"PG_VERSION"', range)],
    ["a file that is null", withLines("1", "null", range)],
    ["a file that is no JSON", withLines("1", "{ Path }", range)],
    ["a file without a path", withLines("1", file.replace("Path", "Encoded-Path").replace("PG_VERSION", "xyz"), range)],
    ["a file with two paths", withLines("1", file.replace("{", '{ "Encoded-Path": "61",'), range)],
    ["a path that is no text", withLines("1", file.replace('"PG_VERSION"', "7"), range)],
    ["a negative size", withLines("1", file.replace("3", "-3"), range)],
    ["a size in words", withLines("1", file.replace("3", '"three"'), range)],
    ["no time", withLines("1", file.replace('"2026-11-24 03:28:24 GMT"', "0"), range)],
    ["a time that is none", withLines("1", file.replace("2026-11", "2026-99"), range)],
    ["an unknown field", withLines("1", file.replace("{", '{ "Owner": 1,'), range)],
    ["an unknown algorithm", withLines("1", file.replace("CRC32C", "MD5"), range)],
    ["a checksum of the wrong length", withLines("1", file.replace("64440205", "644402"), range)],
    ["a checksum that is no hexadecimal text", withLines("1", file.replace("64440205", "6444020x"), range)],
    ["a checksum that is a number", withLines("1", file.replace('"64440205"', "64440205"), range)],
    ["a range without an end", withLines("1", file, range.replace("End-LSN", "End"))],
    ["a range without a start", withLines("1", file, range.replace('"0/2000028"', "2"))],
    ["a range without a timeline", withLines("1", file, range.replace("1", '"1"'))],
    ["an unknown field in a range", withLines("1", file, range.replace("{", '{ "X": 1,'))],
    ["another part than WAL ranges", withLines("1", file, range).replace("WAL-Ranges", "Ranges")],
    ["something else for the version", withLines("1", file, range).replace("PostgreSQL", "Postgres")],
    ["its last line lost", withLines("1", file, range).replace(/"Manifest-Checksum".*\n/, "")],
    ["no checksum", withLines("1", file, range).replace("Manifest-Checksum", "Checksum")],
    ["more ranges than there are timelines", withLines("1", file, Array(1001).fill(range).join(",\n"))],
    [
      "a line that does not end",
      withLines("1", file.replace("PG_VERSION", "x".repeat(70_000)), range).slice(0, 69_000),
    ],
    ["a line behind the checksum", `${withLines("1", file, range)}\n`],
  ])("with %s is refused", (_what, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });
});
