import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalWalFile } from "@soar/restore";
import { afterEach, beforeEach, expect, test } from "vitest";
import { byHand, unstoredText } from "./local-wal-texts.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "soar-by hand-"))));
afterEach(() => rmSync(directory, { recursive: true }));

const nameOf = (timeline: number, index: number): string =>
  `0000000${timeline}00000000${index.toString(16).toUpperCase().padStart(8, "0")}`;

function filesIn(place: string, names: readonly string[]): LocalWalFile[] {
  mkdirSync(join(directory, place));
  return names.map((name) => {
    const file = join(directory, place, name);
    writeFileSync(file, "");
    return { name, file, sha256: "" };
  });
}

/** Gives the command to a shell. Resolves to the files that it stored, with a store that refuses one of them. */
function given(left: readonly LocalWalFile[], refused = "none"): string[] {
  const [bin, stored] = [join(directory, "bin"), join(directory, "stored")];
  mkdirSync(bin);
  writeFileSync(stored, "");
  const program = join(bin, "soar-wal-archive");
  writeFileSync(program, `#!/bin/sh\n[ "$4" != '${refused}' ] && echo "$3" >> '${stored}'\n`);
  chmodSync(program, 0o755);
  const command = byHand({ left });
  expect(command?.length).toBeLessThan(4095);
  const env = { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  execFileSync("sh", ["-c", `${command}; true`], { env });
  return readFileSync(stored, "utf8").split("\n").filter(Boolean);
}

const pathsOf = (files: readonly LocalWalFile[]): string[] => files.map(({ file }) => file);

test("the command that stores by hand stores nothing behind a file that it could not store, also in another directory", () => {
  const first = filesIn("one", [nameOf(1, 1), nameOf(1, 2), nameOf(1, 3)]);
  const second = filesIn("two", ["00000002.history", nameOf(2, 4)]);
  expect(given([...first, ...second], nameOf(1, 2))).toEqual(pathsOf(first.slice(0, 1)));
});

test("thousands of files are one line of a terminal: each between the first and the last, and what the timeline before it left is not", () => {
  const all = filesIn(
    "old wal",
    Array.from({ length: 3000 }, (_, n) => nameOf(1, n)),
  );
  const next = filesIn("next", ["00000002.history", ...Array.from({ length: 30 }, (_, n) => nameOf(2, 2990 + n))]);
  const left = [...all.slice(10, 2990), ...next];
  expect(given(left)).toEqual(pathsOf(left));
});

test("nothing is left, nothing is to be given", () => {
  expect(byHand(undefined)).toBeUndefined();
  expect(byHand({ left: [] })).toBeUndefined();
});

test("a restore that does not finish an earlier one says which WAL is then still to be stored", () => {
  const opened = { target: "latest", waiting: filesIn("kept", [nameOf(1, 1), nameOf(1, 2)]) };
  const said = (kind: string, found: object | undefined): string | undefined =>
    unstoredText({ checked: { approach: { kind }, opened: found } } as unknown as Parameters<typeof unstoredText>[0]);
  expect(said("replace", opened)).toMatch(/to latest, was interrupted before it had stored up to 2 WAL files, from /);
  expect(said("replace", { target: "latest", waiting: undefined })).toContain(
    "before it had stored WAL: this one begins anew",
  );
  expect(said("replace", { target: "latest", waiting: [] })).toBeUndefined();
  expect(said("opened", opened)).toBeUndefined();
  expect(said("replace", undefined)).toBeUndefined();
});
