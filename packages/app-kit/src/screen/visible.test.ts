import fc from "fast-check";
import { expect, test } from "vitest";
import { visibleLine, visibleText } from "./visible.ts";

test("control characters of every kind are shown, a line end by its own sign", () => {
  expect(visibleLine("a\u001b[2Jb\r\nc\u009b1m\u007f\u2028")).toBe(String.raw`a\x1b[2Jb\x0d\nc\x9b1m\x7f\u2028`);
  expect(visibleText("a\u001b]0;x\u0007\nb\r\n")).toBe(`${String.raw`a\x1b]0;x\x07`}\nb${String.raw`\x0d`}\n`);
  // A byte that is no UTF-8, in the name of a database.
  expect(visibleLine("caf\udce9 und 😀")).toBe(String.raw`caf\xe9 und 😀`);
  expect(visibleLine("Düsseldorf – ünïcode")).toBe("Düsseldorf – ünïcode");
});

test("nothing that moves a cursor is left, and text without it is left as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      // oxlint-disable-next-line no-control-regex -- that none is left
      const control = /[\u0000-\u001f\u007f-\u009f]/;
      expect(visibleLine(text)).not.toMatch(control);
      expect(visibleText(text).replaceAll("\n", "")).not.toMatch(control);
      if (!control.test(text) && !/[\u2028\u2029]/.test(text)) expect(visibleLine(text)).toBe(text);
    }),
  );
});
