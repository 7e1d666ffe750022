import { spawnSync } from "node:child_process";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type TarPiece, TarScanner } from "@soar/seekable-tar";
import { decodeName } from "@soar/seekable-tar/members";
import { packServerConfig } from "./server-config.ts";

const at = new Date("2025-01-10T02:00:00Z");

test("what a restore would refuse to read is not packed", () => {
  const files = Array.from({ length: 5 }, (_, index) => ({
    path: `/etc/${index}.conf`,
    content: Buffer.alloc(2 ** 24),
  }));
  expect(packServerConfig(files.slice(0, 3), at).length).toBeGreaterThan(0);
  expect(() => packServerConfig(files, at)).toThrow(
    expect.objectContaining({
      code: "SERVER_UNSUITABLE",
      message: expect.stringContaining("its 5 files have 8388") as string,
    }),
  );
});

/** Parts of paths as bytes, of which some are no UTF-8. */
const part = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f || byte === 0x2e ? 0x61 : byte))));
const path = fc
  .array(part, { minLength: 1, maxLength: 6 })
  .map((parts) => decodeName(Buffer.from(`/${parts.map((bytes) => bytes.toString("latin1")).join("/")}`, "latin1")));

test("a file of any name and depth is kept under its name", () => {
  fc.assert(
    fc.property(path, fc.uint8Array({ maxLength: 1500 }), (name, bytes) => {
      const scanner = new TarScanner();
      const pieces: TarPiece[] = [
        ...scanner.scan(gunzipSync(packServerConfig([{ path: name, content: Buffer.from(bytes) }], at))),
      ];
      scanner.finish();
      expect(pieces.flatMap((piece) => (piece.kind === "entry" ? [`/${piece.entry.path}`] : []))).toEqual([name]);
      expect(Buffer.concat(pieces.flatMap((piece) => (piece.kind === "content" ? [piece.bytes] : [])))).toEqual(
        Buffer.from(bytes),
      );
    }),
  );
});

test.each([
  ["is not ASCII", "/etc/postgresql/größe/postgresql.conf"],
  ["is longer than a plain header holds", `/srv/${"deep/".repeat(60)}postgresql.conf`],
  ["is not ASCII, and long", `/srv/${"größe/".repeat(60)}postgresql.conf`],
])("plain tar lists a file whose path %s", (_what, name) => {
  const packed = packServerConfig([{ path: name, content: Buffer.from("port = 5433\n") }], at);
  const { stdout, stderr } = spawnSync("tar", ["-tzf", "-", "--quoting-style=literal"], {
    input: packed,
    encoding: "utf8",
  });
  expect({ stdout, stderr }).toEqual({ stdout: `${name.slice(1)}\n`, stderr: "" });
});
