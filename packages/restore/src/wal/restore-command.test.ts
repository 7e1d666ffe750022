import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { restoreCommand } from "./restore-command.ts";

const directory = mkdtempSync(join(tmpdir(), "soar-restore-command-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What PostgreSQL does with the setting: replaces %f, %p and %%, then system(). */
function run(command: string): number | null {
  return spawnSync("/bin/sh", ["-c", placed(command)], { cwd: directory, stdio: "ignore" }).status;
}

function placed(command: string): string {
  return command.replaceAll(/%(.)/g, (_, letter: string) =>
    letter === "f" ? "000000010000000000000001" : letter === "p" ? "pg_wal/RECOVERYXLOG" : letter,
  );
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

describe("with a spool", () => {
  const name = "000000010000000000000001";
  const spool = join(directory, "sp ool's %f");
  const absentProcess = 4_194_305;
  const place = (processId: number) => ({ directory: spool, processId });
  beforeEach(() => {
    for (const path of [spool, join(directory, "pg_wal")]) rmSync(path, { recursive: true, force: true });
    for (const path of [spool, join(directory, "pg_wal")]) mkdirSync(path);
  });
  const delivered = () => readFileSync(join(directory, "pg_wal", "RECOVERYXLOG"), "utf8");

  test("a ready segment is moved and no program runs", () => {
    writeFileSync(join(spool, name), "segment");
    expect(run(restoreCommand([script("never", "exit 99")], place(process.pid)))).toBe(0);
    expect(delivered()).toBe("segment");
    expect(readdirSync(spool)).toEqual([]);
  });

  test.each([
    [0, 0],
    [100, 1],
    [1, 126],
    [125, 126],
    [143, 126],
  ])("the program's %i is %i when nothing is ready", (status, expected) => {
    expect(run(restoreCommand([script(`spooled-${status}`, `exit ${status}`)], place(process.pid)))).toBe(expected);
  });

  test("a segment that becomes ready is waited for while the process that fetches it lives", async () => {
    const mark = join(spool, `${name}.fetching`);
    writeFileSync(mark, "");
    const waiting = spawn(
      "/bin/sh",
      ["-c", placed(restoreCommand([script("not-late", "exit 99")], place(process.pid)))],
      { cwd: directory, stdio: "ignore" },
    );
    const ended = new Promise((resolve) => waiting.once("exit", resolve));
    writeFileSync(join(spool, name), "late");
    rmSync(mark);
    expect(await ended).toBe(0);
    expect(delivered()).toBe("late");
  });

  test("it is not waited for when that process has died", () => {
    writeFileSync(join(spool, `${name}.fetching`), "");
    const begin = performance.now();
    expect(run(restoreCommand([script("dead-0", "exit 0")], place(absentProcess)))).toBe(0);
    expect(run(restoreCommand([script("dead-1", "exit 1")], place(absentProcess)))).toBe(126);
    expect(performance.now() - begin).toBeLessThan(5_000);
  });

  test("a segment that cannot be moved to its place is left to the program", () => {
    writeFileSync(join(spool, name), "segment");
    rmSync(join(directory, "pg_wal"), { recursive: true });
    expect(run(restoreCommand([script("no-place", "exit 2")], place(process.pid)))).toBe(126);
    expect(run(restoreCommand([script("no-place-either", "exit 100")], place(process.pid)))).toBe(1);
  });

  test("without mv and sleep the program decides", () => {
    writeFileSync(join(spool, name), "segment");
    writeFileSync(join(spool, `${name}.fetching`), "");
    const line = `PATH=/nonexistent; ${restoreCommand([script("no-tools", "exit 0")], place(process.pid))}`;
    expect(run(line)).toBe(0);
    expect(readdirSync(spool)).toHaveLength(2);
  });

  test("a shell that is killed while it waits has no status below 126", () => {
    const line = restoreCommand([script("suicide", "kill -KILL $PPID; exit 0")], place(absentProcess));
    expect(run(line)).toBeNull();
  });
});

test("passes every word on as it is, whatever it holds", () => {
  const echo = script("echo words", 'printf "%s\\n" "$@" > "$(dirname "$0")/words"');
  const words = fc.array(
    fc.string({ unit: fc.constantFrom(..."ab '\"$`\\%;&|*?(){}~#! äλ".split("")), minLength: 1, maxLength: 8 }),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(words, (list) => {
      expect(run(restoreCommand([echo, ...list]))).toBe(0);
      expect(execFileSync("cat", [join(directory, "words")], { encoding: "utf8" })).toBe(
        [...list, "000000010000000000000001", "pg_wal/RECOVERYXLOG", ""].join("\n"),
      );
    }),
    { numRuns: 60 },
  );
});

test("refuses a word that no line of a configuration can hold", () => {
  expect(() => restoreCommand(["a\nb"])).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
});
