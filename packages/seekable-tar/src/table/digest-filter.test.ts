import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DigestFilter } from "./digest-filter.ts";

const digestOf = (seed: number): Buffer => createHash("sha256").update(String(seed)).digest();

test("it knows every digest that it was made of and, of others, none; also in another thread's view", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(1_000_000), { maxLength: 3000 }), (seeds) => {
      const [held, others] = [seeds.filter((_, index) => index % 2 === 0), seeds.filter((_, index) => index % 2 === 1)];
      const { memory } = DigestFilter.of(held.map(digestOf), held.length);
      const filter = new DigestFilter(memory);
      for (const seed of held) expect(filter.mayHold(digestOf(seed))).toBe(true);
      for (const seed of others) expect(filter.mayHold(digestOf(seed))).toBe(false);
    }),
    { numRuns: 20 },
  );
});

test("a digest that begins with zeros is one like any other", () => {
  const zeros = Buffer.alloc(32);
  expect(DigestFilter.of([], 0).mayHold(zeros)).toBe(false);
  expect(DigestFilter.of([zeros], 1).mayHold(zeros)).toBe(true);
});

test("digests that fall into one place are all kept", () => {
  const sameStart = (last: number): Buffer => Buffer.from([1, 2, 3, 4, 5, 6, 7, last, ...Buffer.alloc(24)]);
  const digests = Array.from({ length: 200 }, (_, index) => sameStart(index));
  const filter = DigestFilter.of(digests.slice(0, 150), 150);
  expect(digests.map((digest) => filter.mayHold(digest))).toEqual(digests.map((_, index) => index < 150));
});
