import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_OBJECT_SIZE, objectSizesFor, partSizeFor } from "./part-size.ts";
import { PROVIDERS } from "./providers.ts";

const MIB = 1024 ** 2;

describe.each(Object.values(PROVIDERS))("for $name", (provider) => {
  const largest = Math.min(MAX_OBJECT_SIZE, provider.maxParts * provider.maxPartSize);

  test("gives equal parts within the provider's limits for every size that it can store", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: largest }), (expectedSize) => {
        const partSize = partSizeFor(expectedSize, provider);
        expect(partSize).toBeGreaterThanOrEqual(provider.minPartSize);
        expect(partSize).toBeLessThanOrEqual(provider.maxPartSize);
        expect(Math.ceil(expectedSize / partSize)).toBeLessThanOrEqual(provider.maxParts);
      }),
    );
    expect(Math.ceil(largest / partSizeFor(largest, provider))).toBeLessThanOrEqual(provider.maxParts);
  });

  test("refuses what it cannot store, before the first byte travels", () => {
    expect(() => partSizeFor(largest + 1, provider)).toThrow(`the store takes at most ${largest}`);
  });
});

test.each([
  [0, 8 * MIB],
  [16 * MIB, 8 * MIB],
  [80_000 * MIB, 8 * MIB],
  [80_001 * MIB, 9 * MIB],
  [150 * 1024 * MIB, 16 * MIB],
  [MAX_OBJECT_SIZE, 525 * MIB],
])("cuts %i bytes into parts of %i on AWS", (expectedSize, partSize) => {
  expect(partSizeFor(expectedSize, PROVIDERS.aws)).toBe(partSize);
});

test("takes fractions and negative sizes for a bug", () => {
  expect(() => partSizeFor(-1, PROVIDERS.aws)).toThrow(RangeError);
  expect(() => partSizeFor(1.5, PROVIDERS.aws)).toThrow(RangeError);
});

test("five parts of an object take at most 240 MiB, however long the stream and however few parts the store takes", () => {
  const maxParts = fc.integer({ min: 1, max: 10_000 });
  const expected = fc.integer({ min: 0, max: 100 * 1024 ** 4 });
  fc.assert(
    fc.property(maxParts, expected, (most, expectedSize) => {
      const { partSize, objectBytes } = objectSizesFor(expectedSize, { ...PROVIDERS.aws, maxParts: most });
      expect(5 * partSize).toBeLessThanOrEqual(240 * MIB);
      expect(objectBytes).toBeLessThanOrEqual(Math.min(MAX_OBJECT_SIZE, most * partSize));
      expect(objectBytes).toBeGreaterThanOrEqual(Math.min(expectedSize, most * 48 * MIB, MAX_OBJECT_SIZE));
    }),
  );
});

test.each([
  [420e9, 1],
  [500e9, 1],
  [10e12, 20],
])("%i bytes are stored in %i objects on AWS", (expectedSize, objects) => {
  expect(Math.ceil(expectedSize / objectSizesFor(expectedSize, PROVIDERS.aws).objectBytes)).toBe(objects);
});
