import { expect, test } from "vitest";
import { CHECKSUM_ALGORITHMS, createChecksum, digestLength } from "./checksums.ts";

// The check values of the CRC catalogue (https://reveng.sourceforge.io/crc-catalogue/all.htm) for "123456789".
test.each([
  ["crc32", "cbf43926"],
  ["crc32c", "e3069283"],
  ["crc64nvme", "ae8b14860a799888"],
  ["sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"],
  ["sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"],
] as const)("%s of the standard check string", (algorithm, expected) => {
  const checksum = createChecksum(algorithm);
  checksum.update(Buffer.from("1234"));
  checksum.update(Buffer.from("56789"));
  expect(checksum.digest().toString("hex")).toBe(expected);
});

test.each(CHECKSUM_ALGORITHMS)("%s has the length it says", (algorithm) => {
  expect(createChecksum(algorithm).digest()).toHaveLength(digestLength(algorithm));
});
