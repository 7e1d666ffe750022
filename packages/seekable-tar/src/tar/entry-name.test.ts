import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeName, encodeName, toFilePath } from "./entry-name.ts";

test("any bytes come back from their name, also through JSON", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const name: unknown = JSON.parse(JSON.stringify(decodeName(bytes)));
      expect(encodeName(String(name))).toEqual(Buffer.from(bytes));
    }),
  );
});

test("UTF-8 names stay what they are", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (name) => {
      expect(decodeName(Buffer.from(name))).toBe(name);
      expect(toFilePath(name)).toBe(name);
    }),
  );
});

test("a name that is no UTF-8 becomes bytes for the file system", () => {
  expect(toFilePath(decodeName(Buffer.from([0x61, 0xff, 0x62])))).toEqual(Buffer.from([0x61, 0xff, 0x62]));
});
