import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { restoreCommand } from "./restore-command.ts";

const directory = mkdtempSync(join(tmpdir(), "soar-restore-command-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What PostgreSQL does with the setting: replaces %f, %p and %%, then system(). */
function run(command: string): number | null {
  const line = command.replaceAll(/%(.)/g, (_, letter: string) => (letter === "f" ? "000000010000000000000001" : letter === "p" ? "pg_wal/RECOVERYXLOG" : letter));
  return spawnSync("/bin/sh", ["-c", line], { stdio: "ignore" }).status;
}

function script(name: string, body: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

describe("the status that PostgreSQL sees", () => {
  test.each([
    [0, 0],
    [100, 1],
    [1, 126],
    [2, 126],
    [70, 126],
    [125, 126],
    [126, 126],
    [127, 126],
    [134, 126],
    [143, 126],
  ])("is, for a program that ends with %i, %i", (status, expected) => {
    expect(run(restoreCommand([script(`exit-${status}`, `exit ${status}`)]))).toBe(expected);
  });

  test.each(["TERM", "KILL", "ABRT"])("is 126 for a program that dies of SIG%s", (signal) => {
    expect(run(restoreCommand([script(`die-${signal}`, `kill -${signal} $$`)]))).toBe(126);
  });

  test("is 126 when Node or the program is not there or cannot be run", () => {
    expect(run(restoreCommand([join(directory, "no-node"), "main.js"]))).toBe(126);
    expect(run(restoreCommand([process.execPath, join(directory, "no-main.js")]))).toBe(126);
    writeFileSync(join(directory, "not-executable"), "", { mode: 0o644 });
    expect(run(restoreCommand([join(directory, "not-executable")]))).toBe(126);
  });
});

test("passes every word on as it is, whatever it holds", () => {
  const echo = script("echo words", 'printf "%s\\n" "$@" > "$(dirname "$0")/words"');
  const words = fc.array(fc.string({ unit: fc.constantFrom(..."ab '\"$`\\%;&|*?(){}~#! äλ".split("")), minLength: 1, maxLength: 8 }), { maxLength: 4 });
  fc.assert(
    fc.property(words, (list) => {
      expect(run(restoreCommand([echo, ...list]))).toBe(0);
      expect(execFileSync("cat", [join(directory, "words")], { encoding: "utf8" })).toBe([...list, "000000010000000000000001", "pg_wal/RECOVERYXLOG", ""].join("\n"));
    }),
    { numRuns: 60 },
  );
});

test("refuses a word that no line of a configuration can hold", () => {
  expect(() => restoreCommand(["a\nb"])).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
});
