import fc from "fast-check";
import { expect, test } from "vitest";
import { visibleJson, visibleLine, visibleParagraph, visibleText } from "./visible.ts";

test("control characters of every kind are shown, a line end by its own sign", () => {
  expect(visibleLine("a\u001b[2Jb\r\nc\u009b1m\u007f\u2028")).toBe(String.raw`a\x1b[2Jb\x0d\nc\x9b1m\x7f\u{2028}`);
  expect(visibleText("a\u001b]0;x\u0007\nb\r\n")).toBe(`${String.raw`a\x1b]0;x\x07`}\nb${String.raw`\x0d`}\n`);
  // A byte that is no UTF-8, in the name of a database.
  expect(visibleLine("caf\udce9 und 😀")).toBe(String.raw`caf\xe9 und 😀`);
  expect(visibleLine("Düsseldorf – ünïcode")).toBe("Düsseldorf – ünïcode");
});

test("a text below a line of ours begins no line of its own", () => {
  expect(visibleParagraph("a\r\n2026-01-10 error\u001b[2K")).toBe(
    `${String.raw`a\x0d`}\n  ${String.raw`2026-01-10 error\x1b[2K`}`,
  );
});

test("JSON has nothing in it that is obeyed, and is the same JSON", () => {
  const shown = visibleJson(JSON.stringify({ "a\u009b": "b\u007f\u2028\u202e\udce9\u001b\n" }, undefined, 2));
  expect(shown).toBe(`{\n  ${String.raw`"a\u009b": "b\u007f\u2028\u202e\udce9\u001b\n"`}\n}`);
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const json = visibleJson(JSON.stringify([text], undefined, 2));
      expect(JSON.parse(json)).toEqual([text]);
      expect(visibleText(json)).toBe(json);
    }),
  );
});

test("nothing turns the order round in which a name is read; what names are spelled with stays", () => {
  const marks = ["\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069"];
  for (const mark of marks)
    expect(visibleText(visibleLine(`a${mark}b`))).toBe(`a\\u{${mark.charCodeAt(0).toString(16)}}b`);
  expect(visibleLine("نمی\u200cخواهم 👩\u200d💻 שלום")).toBe("نمی\u200cخواهم 👩\u200d💻 שלום");
});

test("nothing that moves a cursor is left, and text without it is left as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      // oxlint-disable-next-line no-control-regex -- that none is left
      const control = /[\u0000-\u001f\u007f-\u009f]/;
      expect(visibleLine(text)).not.toMatch(control);
      expect(visibleText(text).replaceAll("\n", "")).not.toMatch(control);
      if (!control.test(text) && !/[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/.test(text))
        expect(visibleLine(text)).toBe(text);
    }),
  );
});
