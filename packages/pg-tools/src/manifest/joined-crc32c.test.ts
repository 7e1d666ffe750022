import fc from "fast-check";
import { expect, test } from "vitest";
import { createFileChecksum } from "./file-checksum.ts";
import { crc32cOf, formatCrc32c, joinCrc32c } from "./joined-crc32c.ts";

test("the joined checksums of any runs are the checksum of the whole", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 }), (runs) => {
      const whole = createFileChecksum("CRC32C");
      let joined = 0;
      for (const run of runs) {
        whole.update(run);
        joined = joinCrc32c(joined, crc32cOf(run), run.length);
      }
      expect(formatCrc32c(joined)).toBe(whole.digest());
    }),
  );
});

test("runs of a gibibyte, as PostgreSQL's files have them", () => {
  const zeros = Buffer.alloc(1024 * 1024);
  let joined = crc32cOf(Buffer.from("123456789"));
  expect(joined).toBe(0xe3069283);
  let slow = joined;
  for (let mebibyte = 0; mebibyte < 64; mebibyte++) slow = joinCrc32c(slow, crc32cOf(zeros), zeros.length);
  const half = crc32cOf(Buffer.alloc(32 * zeros.length));
  joined = joinCrc32c(joined, joinCrc32c(half, half, 32 * zeros.length), 64 * zeros.length);
  expect(joined).toBe(slow);
});

test("a run of more bits than 32 bits count", () => {
  const start = crc32cOf(Buffer.from("123456789"));
  let [zeros, length] = [crc32cOf(Buffer.alloc(2 ** 20)), 2 ** 20];
  for (; length < 2 ** 28; length *= 2) zeros = joinCrc32c(zeros, zeros, length);
  let quarters = start;
  for (let quarter = 0; quarter < 4; quarter++) quarters = joinCrc32c(quarters, zeros, length);
  const half = joinCrc32c(zeros, zeros, length);
  expect(joinCrc32c(start, joinCrc32c(joinCrc32c(half, zeros, length), zeros, length), 2 ** 30)).toBe(quarters);
});
