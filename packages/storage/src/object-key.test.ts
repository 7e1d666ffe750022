import fc from "fast-check";
import { expect, test } from "vitest";
import { compareKeys, MAX_KEY_BYTES, requireKey, requireKeyPrefix } from "./object-key.ts";

const anyText = fc.string({ unit: "binary", maxLength: 30 });

test("orders keys as their UTF-8 bytes are ordered", () => {
  fc.assert(
    fc.property(anyText, anyText, (left, right) => {
      expect(Math.sign(compareKeys(left, right))).toBe(
        Math.sign(Buffer.compare(Buffer.from(left), Buffer.from(right))),
      );
    }),
  );
  expect(compareKeys("\uE000", "🐘"), "JavaScript's own order is the other one").toBeLessThan(0);
  expect(["🐘", "\uE000"].sort()).toEqual(["🐘", "\uE000"]);
});

test("takes every key that is made of plain segments", () => {
  const segment = fc
    .stringMatching(/^[^/\p{Cc}]{1,40}$/u)
    .filter((text) => text !== "." && text !== ".." && text.isWellFormed());
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
      requireKey(segments.join("/"));
    }),
  );
});

test("takes every beginning of a key as a prefix", () => {
  const key = "base/2025-01-05/backup.tar.gz";
  for (let length = 0; length <= key.length; length += 1)
    expect(() => requireKeyPrefix(key.slice(0, length))).not.toThrow();
  expect(() => requireKeyPrefix("a/..")).not.toThrow();
});

test("names the fault and what to do", () => {
  expect(() => requireKey("a//b")).toThrow("unable to use the key 'a//b': it has an empty segment");
  expect(() => requireKey("x/".repeat(MAX_KEY_BYTES / 2) + "x")).toThrow("it is longer than 1024 bytes");
  expect(() => requireKeyPrefix("x".repeat(MAX_KEY_BYTES + 1))).toThrow("it is longer than 1024 bytes");
  expect(() => requireKeyPrefix("\uD800")).toThrow("half of a surrogate pair");
});
