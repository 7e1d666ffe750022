import { expect, test } from "vitest";
import { requireDigest, sha256Hex } from "./digest.ts";

test("a digest is taken over all parts in order", () => {
  expect(sha256Hex()).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(sha256Hex(Buffer.from("ab"), Buffer.from("c"))).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

test("bytes of the recorded size and digest pass, any others are named as damage", () => {
  const bytes = Buffer.from("the object");
  const recorded = { size: bytes.length, sha256: sha256Hex(bytes) };
  expect(() => requireDigest(bytes, recorded, "s3://b/k")).not.toThrow();
  expect(() => requireDigest(bytes.subarray(1), recorded, "s3://b/k")).toThrow(
    "'s3://b/k' is damaged: it has 9 bytes, 10 were recorded",
  );
  expect(() => requireDigest(Buffer.from("The object"), recorded, "s3://b/k")).toThrow(
    expect.objectContaining({
      code: "REPOSITORY_DAMAGED",
      message: "'s3://b/k' is damaged: its SHA-256 is not the recorded one",
    }),
  );
});
