import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeName } from "./entry-name.ts";
import { ARCHIVE_END_BYTES, formatHeader, paddingOf, type WritableEntry } from "./format-header.ts";
import { TarScanner } from "./tar-scanner.ts";

/** What the scanner finds in an archive of these entries without content. */
function scanned(entries: readonly WritableEntry[]): unknown[] {
  const scanner = new TarScanner();
  const blocks = entries.map((entry) =>
    Buffer.concat([formatHeader(entry), Buffer.alloc(entry.size + paddingOf(entry.size))]),
  );
  const found = [...scanner.scan(Buffer.concat([...blocks, Buffer.alloc(ARCHIVE_END_BYTES)]))];
  scanner.finish();
  return found.flatMap((piece) => (piece.kind === "entry" ? [piece.entry] : []));
}

/** Parts of paths as bytes, of which some are no UTF-8. */
const part = fc
  .uint8Array({ minLength: 1, maxLength: 70 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))))
  .filter((bytes) => bytes.toString("latin1") !== "." && bytes.toString("latin1") !== "..");
const path = fc
  .array(part, { minLength: 1, maxLength: 4 })
  .map((parts) => decodeName(Buffer.from(parts.map((bytes) => bytes.toString("latin1")).join("/"), "latin1")));
const whole = fc.oneof(fc.nat(0o7777777), fc.nat());
const attributes = { mode: fc.nat(0o7777), mtime: fc.nat(2 ** 33), uid: whole, gid: whole };
const entries: fc.Arbitrary<WritableEntry> = fc.oneof(
  fc.record({ path, type: fc.constant("file" as const), size: fc.nat(2000), link: fc.constant(""), ...attributes }),
  fc.record({
    path,
    type: fc.constant("directory" as const),
    size: fc.constant(0),
    link: fc.constant(""),
    ...attributes,
  }),
  fc.record({ path, type: fc.constant("symlink" as const), size: fc.constant(0), link: path, ...attributes }),
);

test("an entry comes back as it was, whatever its name, owner and size", () => {
  fc.assert(
    fc.property(fc.array(entries, { maxLength: 4 }), (list) => {
      expect(scanned(list)).toEqual(list);
    }),
  );
});

test("sizes beyond eight gigabytes and times before 1970 stay what they are", () => {
  const entry = { path: "f", type: "file", mode: 0o600, uid: 0, gid: 0, link: "" } as const;
  for (const [size, mtime] of [
    [8 * 1024 ** 3, 0],
    [2 ** 45, 1],
    [0, -1],
  ] as const) {
    const scanner = new TarScanner();
    const [piece] = [...scanner.scan(formatHeader({ ...entry, size, mtime }))].filter(({ kind }) => kind === "entry");
    expect(piece).toMatchObject({ entry: { size, mtime } });
  }
});

test("plain tar lists and checks what was written", () => {
  const base = { mode: 0o640, mtime: 1_700_000_000, uid: 26, gid: 2_097_152, link: "" } as const;
  const archive = Buffer.concat([
    formatHeader({ ...base, path: "d", type: "directory", size: 0 }),
    formatHeader({ ...base, path: `d/${"long/".repeat(40)}name`, type: "file", size: 3 }),
    Buffer.from("abc"),
    Buffer.alloc(paddingOf(3)),
    formatHeader({ ...base, path: "l", type: "symlink", size: 0, link: "/where/ever".repeat(12) }),
    Buffer.alloc(ARCHIVE_END_BYTES),
  ]);
  const listed = spawnSync("tar", ["-tvf", "-", "--numeric-owner", "--full-time", "--utc"], {
    input: archive,
    encoding: "utf8",
  });
  expect(listed.stderr).toBe("");
  const lines = listed.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^drw-r----- 26\/2097152 +0 2023-11-14 22:13:20 d\/$/);
  expect(lines[1]).toContain(`d/${"long/".repeat(40)}name`);
  expect(lines[2]).toContain(`-> ${"/where/ever".repeat(12)}`);
});
