import { expect, test } from "vitest";
import { formatTable, wrapText } from "./table.ts";

const columns = [
  { header: "BACKUP", canShrink: true },
  { header: "SIZE", align: "right" },
  { header: "WAL RANGE", canShrink: true },
] as const;
const rows = [
  ["2026-01-04", "1.2 GiB", "0/2000028 to 0/2000138"],
  ["2026-01-11T140312Z", "980 MiB", "0/5000028 to 0/5000138"],
];

test("columns are as wide as their widest cell, numbers stand to the right", () => {
  expect(formatTable(columns, rows)).toBe(
    [
      "BACKUP                 SIZE  WAL RANGE",
      "2026-01-04          1.2 GiB  0/2000028 to 0/2000138",
      "2026-01-11T140312Z  980 MiB  0/5000028 to 0/5000138",
    ].join("\n"),
  );
});

test("a table that is too wide cuts the widest of the columns that may be cut", () => {
  const text = formatTable(columns, rows, { width: 44 });
  expect(text.split("\n").map((line) => line.length)).toEqual([36, 44, 44]);
  expect(text).toContain("2026-01-11T1403…  980 MiB");
});

test("a table that may not be cut stays whole", () => {
  expect(formatTable([{ header: "A" }], [["0123456789"]], { width: 5 })).toContain("0123456789");
});

test("text is wrapped at blanks, and longer words stay whole", () => {
  expect(wrapText("aa bb  cc\ndddddddd e", 5)).toEqual(["aa bb", "cc", "dddddddd", "e"]);
  expect(wrapText("", 5)).toEqual([]);
});
