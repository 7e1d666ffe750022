import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeServerText, encodeServerText, isUnicode } from "./server-text.ts";

describe("text of a server", () => {
  test("keeps every byte, whatever its encoding", () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      // Mostly UTF-8, with what is none among it.
      fc
        .array(fc.oneof(fc.string({ unit: "grapheme" }), fc.integer({ min: 128, max: 255 })))
        .map((parts) =>
          Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part)))),
        ),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        expect(encodeServerText(decodeServerText(given))).toEqual(Buffer.from(given));
      }),
    );
  });

  test("is UTF-8 as it is, also behind JSON", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(text.isWellFormed());
        expect(decodeServerText(Buffer.from(text))).toBe(text);
        expect(encodeServerText(text)).toEqual(Buffer.from(text));
        expect(isUnicode(text)).toBe(true);
      }),
    );
    const name = decodeServerText(Buffer.from("caf\xe9", "latin1"));
    expect(name).toBe("caf\udce9");
    expect(isUnicode(name)).toBe(false);
    expect(JSON.parse(Buffer.from(JSON.stringify(name)).toString("utf8"))).toBe(name);
  });
});
