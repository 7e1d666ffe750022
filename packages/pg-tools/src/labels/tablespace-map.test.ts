import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatTablespaceMap, parseTablespaceMap } from "./tablespace-map.ts";

const entries = fc.array(
  fc.record({
    oid: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    location: fc.string({ minLength: 1, unit: fc.constantFrom("/", "a", " ", "\\", "\n", "\r", "ü", "\udce9") }),
  }),
);

describe("tablespace_map", () => {
  test("is read and written as PostgreSQL does, line ends and backslashes in paths included", () => {
    const text = "16384 /tmp/ts2\n16386 /tmp/b\\\\s\n16385 /tmp/ts nl\\\nx\n";
    expect(parseTablespaceMap(Buffer.from(text))).toEqual([
      { oid: 16384, location: "/tmp/ts2" },
      { oid: 16386, location: "/tmp/b\\s" },
      { oid: 16385, location: "/tmp/ts nl\nx" },
    ]);
    expect(formatTablespaceMap(parseTablespaceMap(Buffer.from(text))).toString()).toBe(text);
  });

  test("keeps the bytes of a path that is no UTF-8", () => {
    const file = Buffer.from("16384 /tmp/caf\xe9\n", "latin1");
    expect(parseTablespaceMap(file)).toEqual([{ oid: 16384, location: "/tmp/caf\udce9" }]);
    expect(formatTablespaceMap(parseTablespaceMap(file))).toEqual(file);
  });

  test("survives writing and reading", () => {
    fc.assert(
      fc.property(entries, (map) => {
        expect(parseTablespaceMap(formatTablespaceMap(map))).toEqual(map);
      }),
    );
  });

  test("may be empty, and may have the line ends of Windows", () => {
    expect(parseTablespaceMap(Buffer.from(""))).toEqual([]);
    expect(parseTablespaceMap(Buffer.from("1 /a\r\n2 /b\r\n"))).toHaveLength(2);
  });

  test.each(["x /a\n", "1\n", "1 \n", "0 /a\n", "1 /a", "1 /a\\", " 1 /a\n"])("refuses %j", (text) => {
    expect(() => parseTablespaceMap(Buffer.from(text))).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });
});
