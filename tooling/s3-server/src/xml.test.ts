import fc from "fast-check";
import { expect, test } from "vitest";
import { childrenOf, formatXml, parseXml, textOf } from "./xml.ts";

test("writes what it reads", () => {
  const text = formatXml("Delete", [
    ["Quiet", true],
    [
      "Object",
      [
        ["Key", 'a<b>&"c"\n'],
        ["VersionId", undefined],
      ],
    ],
  ]);
  const document = parseXml(text, "Delete");
  expect(textOf(document, "Quiet")).toBe("true");
  expect(childrenOf(document, "Object")[0]?.children).toEqual([{ name: "Key", children: [], text: 'a<b>&"c"\n' }]);
});

test("keeps any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(parseXml(formatXml("A", [["B", text]]), "A").children[0]?.text).toBe(text);
    }),
  );
});

test.each(["", "text", "<A>", "<A></B>", "<A/><A/>", "<B/>", "<A><B></A></B>", "<A><", "</A>"])(
  "refuses %j",
  (text) => {
    expect(() => parseXml(text, "A")).toThrowError(expect.objectContaining({ code: "MalformedXML" }));
  },
);

test("overlooks declarations, comments, namespaces and attributes", () => {
  const document = parseXml('<?xml version="1.0"?><!-- <x> --><s:A xmlns:s="urn:x"><s:B c="d">e</s:B><F/></s:A>', "A");
  expect(document.children.map(({ name, text }) => [name, text])).toEqual([
    ["B", "e"],
    ["F", ""],
  ]);
});
