import { crc32c } from "@node-rs/crc32";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CRC32C_START, finishCrc32c, updateCrc32c } from "./crc32c.ts";

test("the checksum equals the native one for any range, in one piece or two", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(3000), fc.nat(3000), (bytes, a, b) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const [from, to] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
      const whole = finishCrc32c(updateCrc32c(CRC32C_START, bytes, view, from, to));
      const middle = from + ((to - from) >> 1);
      expect(whole).toBe(crc32c(bytes.subarray(from, to)));
      expect(
        finishCrc32c(updateCrc32c(updateCrc32c(CRC32C_START, bytes, view, from, middle), bytes, view, middle, to)),
      ).toBe(whole);
    }),
  );
});

test("the checksum of the digits is the published one", () => {
  const digits = Buffer.from("123456789");
  expect(finishCrc32c(updateCrc32c(CRC32C_START, digits, new DataView(digits.buffer, digits.byteOffset), 0, 9))).toBe(
    0xe3069283,
  );
});
