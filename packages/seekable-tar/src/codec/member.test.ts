import { hasErrorCode } from "@soar/errors";
import { execFileSync } from "node:child_process";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { requireCompressionLevel, type Codec, CODECS } from "./codec.ts";
import { compressMember, compressMemberSync, decompressMember, decompressMemberSync } from "./member.ts";

const PLAIN = Buffer.from(
  "The tail of a segment is worth more than its head. ".repeat(40) + String.fromCharCode(...Array(256).keys()),
  "latin1",
);
const COMPRESSED: readonly Codec[] = ["gzip", "zstd"];

/** The bytes that both forms of decompression agree on, or the error that both end with. */
async function outcome(codec: Codec, stored: Buffer, plainLength = PLAIN.length): Promise<Buffer | Error> {
  const whenError = (error: unknown): Error => {
    if (error instanceof Error) return error;
    throw new Error(`not an error: ${String(error)}`);
  };
  const later = await decompressMember(codec, stored, plainLength).catch(whenError);
  let now: Buffer | Error;
  try {
    now = decompressMemberSync(codec, stored, plainLength);
  } catch (error) {
    now = whenError(error);
  }
  expect(now instanceof Error ? now.message : now).toEqual(later instanceof Error ? later.message : later);
  return later;
}

async function expectInvalid(codec: Codec, stored: Buffer, plainLength = PLAIN.length): Promise<void> {
  const result = await outcome(codec, stored, plainLength);
  expect(
    hasErrorCode(result, "FORMAT_INVALID"),
    Buffer.isBuffer(result) ? `${result.length} bytes, no error` : result.message,
  ).toBe(true);
}

function skippableFrame(content: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, Buffer.from(content)]);
}

describe.each(CODECS)("a %s member", (codec) => {
  test("gives back any bytes, compressed on this thread or on another", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), fc.boolean(), async (bytes, here) => {
        const plain = Buffer.from(bytes);
        const stored = here ? compressMemberSync(codec, plain) : await compressMember(codec, plain);
        expect(await outcome(codec, stored, plain.length)).toEqual(plain);
      }),
      { numRuns: 100 },
    );
  });

  test.each([0, 1, 63, 64, 65, 255, 256, 65_791, 65_792, 131_072, 1 << 20])("gives back %i bytes", async (length) => {
    const plain = Buffer.alloc(length, "abcdefg-");
    expect(await outcome(codec, await compressMember(codec, plain), length)).toEqual(plain);
  });

  test("is refused when it is truncated at any byte", async () => {
    const stored = await compressMember(codec, PLAIN);
    for (let length = 0; length < stored.length; length++) await expectInvalid(codec, stored.subarray(0, length));
  });

  test("is refused when anything follows it", async () => {
    const stored = await compressMember(codec, PLAIN);
    for (const tail of [
      Buffer.from([0]),
      Buffer.from("x"),
      Buffer.alloc(100),
      stored,
      skippableFrame("after"),
      gzipSync(""),
    ]) {
      await expectInvalid(codec, Buffer.concat([stored, tail]));
    }
  });

  test("is refused when anything stands before it", async () => {
    const stored = await compressMember(codec, PLAIN);
    for (const head of [
      Buffer.from([0]),
      skippableFrame("before"),
      skippableFrame(""),
      stored,
      compressMemberSync(codec, Buffer.from("x")),
    ]) {
      await expectInvalid(codec, Buffer.concat([head, stored]));
    }
  });

  test("is refused when its length is another one than expected", async () => {
    const stored = await compressMember(codec, PLAIN);
    for (const length of [0, 1, PLAIN.length - 1, PLAIN.length + 1, 2 * PLAIN.length, -1, 0.5, Number.NaN, 2 ** 40])
      await expectInvalid(codec, stored, length);
  });
});

describe.each(COMPRESSED)("a compressed %s member", (codec) => {
  test("with any flipped bit is refused or still gives back the right bytes", async () => {
    const stored = await compressMember(codec, PLAIN);
    let refused = 0;
    for (let bit = 0; bit < stored.length * 8; bit++) {
      const flipped = Buffer.from(stored);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = await outcome(codec, flipped);
      if (Buffer.isBuffer(result)) expect(result).toEqual(PLAIN);
      else expect(hasErrorCode(result, "FORMAT_INVALID"), result.stack).toBe(true);
      if (!Buffer.isBuffer(result)) refused++;
    }
    // What may change without changing the data are the two informational bytes of gzip's header and unused window sizes.
    expect(refused).toBeGreaterThanOrEqual(stored.length * 8 - 24);
  });

  test("is refused when two members hold the expected bytes together", async () => {
    const halves = [PLAIN.subarray(0, 1000), PLAIN.subarray(1000)].map((half) => compressMemberSync(codec, half));
    await expectInvalid(codec, Buffer.concat(halves));
  });

  test("is read by the plain tool, also when several are joined", async () => {
    const parts = [PLAIN, Buffer.alloc(0), Buffer.from("second")];
    const stored = Buffer.concat(await Promise.all(parts.map((part) => compressMember(codec, part))));
    expect(execFileSync(codec, ["-dc"], { input: stored })).toEqual(Buffer.concat(parts));
  });

  test("follows the level", () => {
    const text = Buffer.from(
      Array.from({ length: 20_000 }, (_, index) => Math.round(1e6 * Math.sin(index * index)) >> (index % 13)).join(
        " the ",
      ),
    );
    expect(compressMemberSync(codec, text, { level: 9 }).length).toBeLessThan(
      compressMemberSync(codec, text, { level: 1 }).length,
    );
  });
});

test("a zstd member without content size or checksum is refused", async () => {
  await expectInvalid("zstd", zstdCompressSync(PLAIN, { params: {} }));
});

test("a gzip member with a name, as the gzip program writes it, is refused", async () => {
  const named = gzipSync(PLAIN);
  named[3] = 8;
  await expectInvalid("gzip", Buffer.concat([named.subarray(0, 10), Buffer.from("name\0"), named.subarray(10)]));
});

test("a damaged member never makes the reader allocate more than it was told to expect", async () => {
  await expectInvalid("gzip", gzipSync(Buffer.alloc(50_000_000)), 1000);
  await expectInvalid("zstd", compressMemberSync("zstd", Buffer.alloc(50_000_000)), 1000);
});

test("a level that a codec does not have is refused with those that it has, and all of those work", () => {
  const plain = Buffer.from("the same again and again, the same again and again");
  for (const [codec, min, max] of [
    ["gzip", 1, 9],
    ["zstd", -7, 19],
  ] as const) {
    for (let level = min; level <= max; level += 1) {
      expect(requireCompressionLevel(codec, level)).toBe(level);
      const stored = compressMemberSync(codec, plain, { level });
      expect(decompressMemberSync(codec, stored, plain.length)).toEqual(plain);
    }
    expect(requireCompressionLevel(codec, undefined)).toBeUndefined();
    for (const level of [min - 1, max + 1, 1.5, NaN])
      expect(() => requireCompressionLevel(codec, level)).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", hint: `Give ${min} to ${max}, or none at all.` }),
      );
  }
  expect(() => requireCompressionLevel("none", 1)).toThrow(/no compression level 1 of 'none'/);
});
