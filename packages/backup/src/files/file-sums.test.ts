import { crc32cOf, createFileChecksum } from "@soar/pg-tools/manifest";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FileSum, manifestFileOf } from "./file-sums.ts";

test("the checksum of a file is the same in whatever order its runs were read", () => {
  const files = fc.uint8Array({ maxLength: 500 }).chain((content) =>
    fc.record({
      content: fc.constant(Buffer.from(content)),
      run: fc.integer({ min: 1, max: 100 }),
      order: fc.array(fc.nat(), { minLength: 500, maxLength: 500 }),
    }),
  );
  fc.assert(
    fc.property(files, ({ content, run, order }) => {
      const sum = new FileSum();
      const count = Math.max(1, Math.ceil(content.length / run));
      const positions = Array.from({ length: count }, (_, index) => index * run).toSorted(
        (a, b) => (order[a] ?? 0) - (order[b] ?? 0),
      );
      expect(sum.finish(content.length)).toBeUndefined();
      for (const at of positions) {
        const bytes = content.subarray(at, at + run);
        sum.add(at, crc32cOf(bytes), bytes.length);
      }
      const whole = createFileChecksum("CRC32C");
      whole.update(content);
      expect(sum.isComplete(content.length)).toBe(true);
      expect(sum.finish(content.length)).toBe(whole.digest());
    }),
  );
});

test("a file of which a part was not read has no checksum", () => {
  const sum = new FileSum();
  sum.add(4, crc32cOf(Buffer.from("rest")), 4);
  expect(sum.isComplete(8)).toBe(false);
  expect(() => sum.finish(8)).toThrow("reach as far as 0");
});

test("a name that is no UTF-8 stands in the manifest as bytes", () => {
  const file = { size: 1, mtime: 1_700_000_000, checksum: "00000000" };
  expect(manifestFileOf({ ...file, path: Buffer.from("base/caf\xe9", "latin1") }).pathBytes?.toString("latin1")).toBe(
    "base/caf\xe9",
  );
  expect(manifestFileOf({ ...file, path: Buffer.from("base/café") })).toMatchObject({
    path: "base/café",
    pathBytes: undefined,
  });
});
