import fc from "fast-check";
import { expect, test } from "vitest";
import { elementsOf, escapeXml, parseXml, textOf } from "./xml.ts";

test("text that was written is read as it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string(), (one, two) => {
      const page = parseXml(`<?xml version="1.0"?>\n<a x="1"><b>${escapeXml(one)}</b><c/><b>${escapeXml(two)}</b></a>`);
      expect(elementsOf(page, "b").map(({ text }) => text)).toEqual([one, two]);
    }),
  );
});

test("what servers write is understood", () => {
  const page = parseXml(
    `\uFEFF<?xml version='1.0' encoding="UTF-8"?><!-- a > b --><L xmlns="http://s3/" a='>'><K>&#x41;&#66;&amp;lt;&quot;&nbsp;</K ><E /><D><![CDATA[<&>]]></D></L>\n`,
  );
  expect([textOf(page, "K"), textOf(page, "E"), textOf(page, "D"), textOf(page, "missing")]).toEqual([
    `AB&lt;"&nbsp;`,
    "",
    "<&>",
    undefined,
  ]);
});

test.each([
  "",
  "text",
  "<a>",
  "<a></b>",
  "</a>",
  "<a></a></a>",
  "<a/><b/>",
  "<a/>text",
  "<a><b</a>",
  "<!DOCTYPE html><html></html>",
  `{"a": 1}`,
])("%j is no document", (text) => {
  expect(() => parseXml(text)).toThrow(SyntaxError);
});

test("a document that was cut off anywhere is none", () => {
  const whole = `<?xml version="1.0"?><R><Contents><Key>a&amp;b</Key></Contents><IsTruncated>false</IsTruncated></R>`;
  parseXml(whole);
  for (let length = 0; length < whole.length; length += 1)
    expect(() => parseXml(whole.slice(0, length)), whole.slice(0, length)).toThrow(SyntaxError);
});
