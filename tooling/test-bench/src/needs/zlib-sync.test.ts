import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { missingBuildTools } from "./zlib-sync.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "soar-tools-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a machine without a compiler is told what to install", () => {
  symlinkSync("/bin/true", join(folder, "python3"));
  expect(missingBuildTools(`/nowhere:${folder}`)).toBe("there is no make, g++ (Debian: apt install make g++)");
  for (const program of ["make", "g++"]) symlinkSync("/bin/true", join(folder, program));
  expect(missingBuildTools(`/nowhere:${folder}`)).toBeUndefined();
});
