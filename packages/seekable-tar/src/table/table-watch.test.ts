import { expect, test } from "vitest";
import type { TableRow } from "./row.ts";
import { TableWatch } from "./table-watch.ts";

const expected = { archives: new Map([["base", 4096]]), objects: 1 };

const entry = (member: number, offset: number, size = 0): TableRow => ({
  kind: "entry",
  entry: { path: "f", type: "file", size, mode: 0, mtime: 0, uid: 0, gid: 0, link: "", member, offset },
});
const member = (plainLength: number): TableRow => ({
  kind: "member",
  object: 0,
  offset: 0,
  storedLength: 9,
  plainLength,
  sha256: Buffer.alloc(32),
  crc32c: 0,
  storedDigest: Buffer.alloc(8),
});
const object: TableRow = { kind: "object", key: "k", codec: "zstd" };
const base: TableRow = { kind: "archive", name: "base" };
const END: readonly TableRow[] = [
  { kind: "archive-end", members: 0, entries: 0, plainBytes: 0 },
  { kind: "end", archives: 1 },
];

function watch(rows: readonly TableRow[], mostEntries = 10): void {
  const watched = new TableWatch("index.zst", expected, mostEntries);
  for (const row of [{ kind: "header", chunkBytes: 1024 } as const, ...rows]) watched.take(row);
}

test("rows of a table that is as it was recorded pass: small files, a large one behind them, and the end", () => {
  const rows = [
    base,
    object,
    entry(0, 512),
    entry(0, 1024, 10),
    entry(1, 0, 1500),
    member(2048),
    member(1024),
    member(476),
    member(548),
    ...END,
  ];
  expect(() => watch(rows)).not.toThrow();
});

test.each<[string, readonly TableRow[], RegExp]>([
  ["an archive that the backup does not have", [{ kind: "archive", name: "16384" }], /has no archive '16384'/],
  ["an archive twice", [base, base], /has no archive 'base', or only one/],
  ["more objects than there can be", [base, object, object], /more than the 1 objects/],
  ["an entry outside of an archive", [entry(0, 512)], /stands outside of an archive/],
  ["entries in one place", [base, entry(0, 512), entry(0, 512)], /no room for their headers/],
  ["an entry without a header", [base, entry(0, 0)], /no room for their headers/],
  ["a header within the content before", [base, entry(0, 512, 1000), entry(0, 1600)], /no room for their headers/],
  ["content behind the end", [base, entry(0, 512, 4000)], /longer than the 4096 bytes/],
  ["a member behind the end", [base, member(4096), member(1)], /longer than the 4096 bytes/],
  [
    "an entry of a member that is over",
    [base, entry(0, 512), member(1024), entry(0, 1024)],
    /in front of their members/,
  ],
  ["an entry far ahead", [base, entry(2, 0)], /in front of their members/],
  ["two entries ahead", [base, entry(1, 0), entry(1, 512)], /in front of their members/],
  [
    "an entry ahead that is too near",
    [base, entry(0, 512, 1000), entry(1, 0), member(1600)],
    /no room for their headers/,
  ],
  ["members of a byte", [base, member(1), member(1), member(1)], /smaller than any writer makes them/],
])("a table with %s is refused at that row", (_, rows, message) => {
  expect(() => watch(rows)).toThrow(message);
  expect(() => watch(rows.slice(0, -1))).not.toThrow();
});

test("more entries than there is memory for are refused, and told what to do", () => {
  const rows = [base, entry(0, 512), entry(0, 1024), entry(0, 1536)];
  watch(rows, 3);
  expect(() => watch(rows, 2)).toThrow(
    expect.objectContaining({ code: "BACKUP_MISSING", hint: expect.stringContaining("max-old-space-size") as string }),
  );
});
