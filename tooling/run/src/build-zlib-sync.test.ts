import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { missingTools } from "./build-zlib-sync.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "soar-tools-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a machine without a compiler is told what to install", () => {
  symlinkSync("/bin/true", join(folder, "python3"));
  expect(missingTools(`/nowhere:${folder}`)).toBe(
    'error: unable to build zlib-sync, which reads our gzip members in tests: there is no make, g++\nhint: Install it (Debian: "apt install make g++"), then run the command again.\n',
  );
  for (const program of ["make", "g++"]) symlinkSync("/bin/true", join(folder, program));
  expect(missingTools(`/nowhere:${folder}`)).toBeUndefined();
});
