import { execFileSync } from "node:child_process";
import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatWalDescription,
  LONGEST_DESCRIPTION,
  parseWalDescription,
  type WalDescription,
} from "./wal-description.ts";

const example: WalDescription = {
  v: 1,
  name: "000000010000000000000007",
  size: 16 * 1024 * 1024,
  sha256: "ab".repeat(32),
  members: [5_712_345],
  memberSize: 32 * 1024 * 1024,
  sysid: "7551234567890123456",
  tx: { n: 812, first: 1_736_517_600_123_456, last: 1_736_517_612_000_001 },
  open: true,
  rp: ["before migration"],
};

const descriptions: fc.Arbitrary<WalDescription> = fc
  .record({
    name: fc.stringMatching(/^[0-9A-F]{24}$/),
    size: fc.nat(1024 ** 3),
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
    members: fc.array(fc.nat(33 * 1024 * 1024), { maxLength: 32 }),
    tx: fc.option(fc.record({ n: fc.nat(), first: fc.maxSafeInteger(), last: fc.maxSafeInteger() }), {
      nil: undefined,
    }),
    rp: fc.option(fc.array(fc.string({ maxLength: 63 }), { minLength: 1, maxLength: 3 }), { nil: undefined }),
    pc: fc.option(fc.array(fc.nat(), { minLength: 5, maxLength: 5 }), { nil: undefined }),
    open: fc.boolean(),
  })
  .map(({ tx, rp, pc, open, ...rest }) => ({
    v: 1 as const,
    ...rest,
    memberSize: 1024,
    ...(tx === undefined ? {} : { tx }),
    ...(open ? { open: true as const } : {}),
    ...(rp === undefined ? {} : { rp }),
    ...(pc === undefined ? {} : { pc }),
  }));

describe.each([
  ["zstd", zstdCompressSync, ["zstd", "-dc"]],
  ["gzip", gzipSync, ["gunzip", "-c"]],
] as const)("a description behind %s data", (codec, compress, [program, ...args]) => {
  test("comes back equal from the last bytes of the object", () => {
    fc.assert(
      fc.property(descriptions, fc.uint8Array({ maxLength: 100 }), (description, data) => {
        const written = formatWalDescription(description, codec);
        const tail = Buffer.concat([data, written]).subarray(-LONGEST_DESCRIPTION);
        const parsed = parseWalDescription(tail, codec, "k");
        expect(parsed.length).toBe(written.length);
        expect(parsed.description).toEqual(description);
      }),
    );
  });

  test("is skipped by the plain program", () => {
    const plain = Buffer.from("page ".repeat(10_000));
    const object = Buffer.concat([compress(plain), formatWalDescription(example, codec)]);
    expect(execFileSync(program, args, { input: object, maxBuffer: 1 << 20 })).toEqual(plain);
  });

  test("notices every flipped bit and every cut", () => {
    const object = Buffer.concat([Buffer.alloc(64), formatWalDescription(example, codec)]);
    for (let bit = 64 * 8; bit < object.length * 8; bit += 1) {
      const flipped = Buffer.from(object);
      flipped.writeUInt8((flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => parseWalDescription(flipped, codec, "wal/x"), `bit ${bit}`).toThrow(/'wal\/x' is damaged/);
    }
    for (let length = 0; length < object.length; length += 1) {
      expect(() => parseWalDescription(object.subarray(0, length), codec, "wal/x"), `cut at ${length}`).toThrow(
        /is damaged/,
      );
    }
  });

  test("drops restore point names that do not fit, and counts them", () => {
    const rp = Array.from({ length: 40 }, (_, index) => `point ${index} ${"x".repeat(50)}`);
    const { description } = parseWalDescription(formatWalDescription({ ...example, rp }, codec), codec, "k");
    expect(description.rp).toEqual(rp.slice(0, description.rp?.length));
    expect((description.rp?.length ?? 0) + (description.rpMore ?? 0)).toBe(40);
    expect(description.rpMore).toBeGreaterThan(0);
  });
});

/** A description with a right checksum around any JSON, as another program could have written it. */
function framed(description: object): Buffer {
  const json = Buffer.from(JSON.stringify(description));
  const footer = Buffer.alloc(12);
  footer.writeUInt32LE(crc32(json), 0);
  footer.writeUInt32LE(json.length, 4);
  footer.write("SOAR", 8, "latin1");
  const head = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  head.writeUInt32LE(json.length + footer.length, 4);
  return Buffer.concat([head, json, footer]);
}

test("a newer program's additional fields are read over, not taken for damage", () => {
  expect(parseWalDescription(framed({ ...example, added: "later" }), "zstd", "k").description).toEqual(example);
});

test.each<[string, object]>([
  ["of another version", { ...example, v: 2 }],
  ["without a name", { ...example, name: undefined }],
  ["with a digest that is none", { ...example, sha256: "x" }],
])("a description %s is damage, although its checksum is right", (_, description) => {
  expect(() => parseWalDescription(framed(description), "zstd", "wal/x")).toThrow(
    expect.objectContaining({
      code: "REPOSITORY_DAMAGED",
      message: expect.stringContaining("'wal/x' is damaged: the description behind its data is wrong"),
    }),
  );
});

test("what does not fit without any restore point is refused before it is stored", () => {
  const members = Array.from({ length: 300 }, () => 5_712_345);
  for (const rp of [undefined, ["before migration"]]) {
    const { rp: _, ...rest } = example;
    expect(() => formatWalDescription({ ...rest, members, ...(rp === undefined ? {} : { rp }) }, "zstd")).toThrow(
      expect.objectContaining({ code: "WAL_INVALID" }),
    );
  }
});
