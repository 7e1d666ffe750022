import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RelocatedTar } from "./relocated-tar.ts";

const FILES = {
  backup_label: "label\n",
  tablespace_map: "16420 /scratch/16420\n16421 /scratch/16421\n",
  PG_VERSION: "15\n",
};
let directory: string;
let tar: Buffer;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-relocated-"));
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(directory, name), content);
  tar = execFileSync("tar", ["--format=ustar", "-C", directory, "-cf", "-", ...Object.keys(FILES)]);
});
afterAll(() => rmSync(directory, { recursive: true }));

function rewrite(
  locations: ReadonlyMap<number, string>,
  pieceBytes: number,
): { bytes: Buffer; map: string | undefined } {
  const relocated = new RelocatedTar(locations);
  const out: Buffer[] = [];
  const buffer = Buffer.alloc(pieceBytes);
  for (let at = 0; at < tar.length; at += pieceBytes) {
    // One buffer for all chunks, as a source may do it.
    const length = tar.copy(buffer, 0, at, at + pieceBytes);
    for (const piece of relocated.rewrite(buffer.subarray(0, length))) out.push(Buffer.from(piece));
  }
  out.push(...relocated.end());
  return { bytes: Buffer.concat(out), map: relocated.map?.toString() };
}

test("the map names other places, whatever the chunks are and however long the places; all else is as it was", () => {
  const location = fc.string({ minLength: 1, maxLength: 600, unit: fc.constantFrom("a", "/", "\\", "\n", "ä") });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), location, (pieceBytes, place) => {
      const { bytes, map } = rewrite(
        new Map([
          [16420, `/${place}`],
          [16421, "/data/b"],
        ]),
        pieceBytes,
      );
      const expected = `16420 /${place.replaceAll(/[\\\n]/g, "\\$&")}\n16421 /data/b\n`;
      expect(map).toBe(expected);
      const read = (name: string): string =>
        execFileSync("tar", ["-xOf", "-", name], { input: bytes, encoding: "utf8" });
      expect(Object.keys(FILES).map(read)).toEqual([FILES.backup_label, expected, FILES.PG_VERSION]);
    }),
    { numRuns: 30 },
  );
});

test("a place that is no UTF-8 is named by its bytes", () => {
  const { bytes } = rewrite(
    new Map([
      [16420, "/caf\udce9"],
      [16421, "/b"],
    ]),
    1024,
  );
  expect(execFileSync("tar", ["-xOf", "-", "tablespace_map"], { input: bytes })).toEqual(
    Buffer.from("16420 /caf\xe9\n16421 /b\n", "latin1"),
  );
});

test("a tablespace that nobody knows is refused", () => {
  expect(() => rewrite(new Map([[16420, "/data/a"]]), 1024)).toThrow(
    expect.objectContaining({
      code: "BACKUP_INCOMPLETE",
      message: expect.stringContaining("tablespace 16421") as string,
    }),
  );
});
