import fc from "fast-check";
import { expect, test } from "vitest";
import type { ByteRange } from "./object-store.ts";
import { resolveByteRange } from "./byte-range.ts";

const size = fc.nat(50);
const count = fc.nat(70);

test("resolves a range to what a slice of the bytes would be", () => {
  fc.assert(
    fc.property(size, count, fc.option(count, { nil: undefined }), (objectSize, offset, length) => {
      const range: ByteRange = { offset, length };
      if (offset > 0 && offset >= objectSize) {
        expect(() => resolveByteRange(range, objectSize, "x")).toThrow(
          `byte ${offset} was asked for, but it ends at byte ${objectSize}`,
        );
        return;
      }
      const resolved = resolveByteRange(range, objectSize, "x");
      const expected = Buffer.alloc(objectSize).subarray(offset, length === undefined ? undefined : offset + length);
      expect(resolved).toEqual({ offset, length: expected.byteLength });
    }),
  );
});

test("resolves a suffix to the end of the bytes, at most all of them", () => {
  fc.assert(
    fc.property(size, count, (objectSize, suffix) => {
      const length = Math.min(suffix, objectSize);
      expect(resolveByteRange({ suffix }, objectSize, "x")).toEqual({ offset: objectSize - length, length });
    }),
  );
});
