import { expect, test } from "vitest";
import { parsePlace, parseTableName } from "./table-names.ts";

test.each([
  ["devices", { schema: "public", name: "devices" }],
  ["public.devices", { schema: "public", name: "devices" }],
  ["Public.Devices", { schema: "Public", name: "Devices" }],
  ['"my.schema"."a ""b"""', { schema: "my.schema", name: 'a "b"' }],
])("%s names a table", (text, expected) => {
  expect(parseTableName(text)).toEqual(expected);
});

test.each(["", ".", "a.b.c", "a.", '"open'])("'%s' is no name of a table", (text) => {
  expect(() => parseTableName(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
});

test("a place is a schema, or a schema and a name", () => {
  expect(parsePlace("rescued")).toEqual({ schema: "rescued" });
  expect(parsePlace("public.devices_before")).toEqual({ schema: "public", name: "devices_before" });
  expect(() => parsePlace("a.b.c")).toThrow(expect.objectContaining({ code: "USAGE" }));
});
