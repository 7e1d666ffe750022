import { hasErrorCode } from "@soar/errors";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, linkSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inPieces, makeTar, tarArbitrary } from "../../test/make-tar.ts";
import { encodeName } from "./entry-name.ts";
import type { TarEntry } from "./tar-entry.ts";
import { TarScanner } from "./tar-scanner.ts";

interface Scanned {
  readonly entries: TarEntry[];
  readonly contents: Buffer[];
  readonly all: Buffer;
}

function scan(pieces: Iterable<Buffer>): Scanned {
  const scanner = new TarScanner();
  const entries: TarEntry[] = [];
  const contents: Buffer[] = [];
  const all: Buffer[] = [];
  for (const bytes of pieces) {
    for (const piece of scanner.scan(bytes)) {
      if (piece.kind === "entry") contents[entries.push(piece.entry) - 1] = Buffer.alloc(0);
      else if (piece.kind !== "entry-end") all.push(Buffer.from(piece.bytes));
      if (piece.kind === "content")
        contents[entries.length - 1] = Buffer.concat([contents[entries.length - 1] ?? Buffer.alloc(0), piece.bytes]);
    }
  }
  scanner.finish();
  return { entries, contents, all: Buffer.concat(all) };
}

function expectInvalid(bytes: Buffer, fact: string): void {
  let failure: unknown;
  try {
    scan([bytes]);
  } catch (error) {
    failure = error;
  }
  expect(hasErrorCode(failure, "FORMAT_INVALID"), String(failure)).toBe(true);
  expect(String(failure)).toContain(fact);
}

test("finds every entry and keeps every byte of random archives in random pieces", () => {
  fc.assert(
    fc.property(
      tarArbitrary([512, 1024, 5000]),
      fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }),
      (made, pattern) => {
        const bytes = makeTar(made);
        const { entries, contents, all } = scan(inPieces(bytes, pattern));
        expect(all).toEqual(bytes);
        expect(entries.map(({ path, size, link }) => ({ path, size, link }))).toEqual(
          made.map(({ path, content, link }) => ({ path, size: content.length, link: link ?? "" })),
        );
        expect(contents).toEqual(made.map(({ content }) => content));
      },
    ),
    { numRuns: 200 },
  );
});

describe("archives of the tar program", () => {
  let directory: string;
  const longName = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(120)}`;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "soar-scan-"));
    const inside = (path: string): string => join(directory, path);
    mkdirSync(inside(`${"d".repeat(90)}/${"e".repeat(90)}`), { recursive: true });
    writeFileSync(inside("small"), "content");
    writeFileSync(inside("empty"), "");
    writeFileSync(inside(longName), "long");
    writeFileSync(inside("line\nfeed"), "odd");
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/latin`), Buffer.from([0xe4])]), "not UTF-8");
    symlinkSync(longName, inside("symlink"));
    linkSync(inside("small"), inside("zlink"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test.each(["gnu", "pax"])("in the %s format", (format) => {
    const bytes = execFileSync("tar", [`--format=${format}`, "--sort=name", "-C", directory, "-cf", "-", "."]);
    const { entries, contents, all } = scan([bytes]);
    expect(all).toEqual(bytes);
    const found = new Map(
      entries.map((entry, index) => [entry.path, { ...entry, content: contents[index]?.toString() }]),
    );
    expect(found.get(".")).toMatchObject({ type: "directory" });
    expect(found.get(longName)).toMatchObject({ type: "file", size: 4, content: "long" });
    expect(found.get("line\nfeed")).toMatchObject({ content: "odd" });
    expect(found.get("symlink")).toMatchObject({ type: "symlink", link: longName, size: 0 });
    expect(found.get("zlink")).toMatchObject({ type: "link", link: "./small" });
    const odd = [...found.keys()].find((path) => path.startsWith("latin")) ?? "";
    expect(encodeName(odd)).toEqual(Buffer.concat([Buffer.from("latin"), Buffer.from([0xe4])]));
  });

  test("in the ustar format, with a prefix", () => {
    const path = `${"p".repeat(120)}/${"q".repeat(20)}`;
    mkdirSync(join(directory, "u", "p".repeat(120)), { recursive: true });
    writeFileSync(join(directory, "u", path), "prefixed");
    const bytes = execFileSync("tar", ["--format=ustar", "-C", join(directory, "u"), "-cf", "-", path]);
    expect(scan([bytes]).entries).toMatchObject([{ path, size: 8 }]);
  });

  test("with sparse files are refused, in each way of writing them", () => {
    writeFileSync(join(directory, "sparse"), "");
    truncateSync(join(directory, "sparse"), 10_000_000);
    const make = (...options: string[]): Buffer =>
      execFileSync("tar", [...options, "-S", "-C", directory, "-cf", "-", "sparse"]);
    expectInvalid(make("--format=gnu"), "entries of type 'S' are not supported");
    expectInvalid(make("--format=pax"), "sparse files are not supported");
  });
});

describe("a stream is refused", () => {
  const whole = makeTar([{ path: "a", type: "File", content: Buffer.alloc(700, 1) }]);

  test("when it is cut off at any byte before its closing blocks are complete", () => {
    for (let length = 0; length < whole.length; length++)
      expectInvalid(whole.subarray(0, length), "ends before its closing blocks");
  });

  test("when bytes follow its end", () => {
    expect(scan([Buffer.concat([whole, Buffer.alloc(10_240)])]).entries).toHaveLength(1);
    expectInvalid(Buffer.concat([whole, Buffer.from("x")]), "bytes follow its end");
    expectInvalid(Buffer.concat([whole, whole]), "bytes follow its end");
  });

  test("when a header has any flipped bit", () => {
    // The number of the checksum itself has padding in which a bit changes nothing.
    const checked = Array.from({ length: 512 }, (_, byte) => byte).filter((byte) => byte < 148 || byte >= 156);
    for (const byte of checked) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(whole);
        flipped.writeUInt8(whole.readUInt8(byte) ^ (1 << bit), byte);
        expectInvalid(flipped, "");
      }
    }
  });

  test("when a header follows one closing block", () => {
    expectInvalid(Buffer.concat([Buffer.alloc(512), whole]), "a header follows a closing block");
  });

  test("when it is something else", () => {
    expectInvalid(Buffer.alloc(2000, "no tar "), "checksum is wrong");
    expectInvalid(Buffer.alloc(0), "ends before");
  });
});
