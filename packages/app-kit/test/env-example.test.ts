import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseEnvText } from "../src/options/env-dialect.ts";

const EXAMPLE = new URL("../../../docs/backup-env.example", import.meta.url);

test("the example, with every setting switched on, reads the same here and in bash", () => {
  const text = readFileSync(EXAMPLE, "utf8").replaceAll(/^# export /gm, "export ");
  const assignments = parseEnvText(text, "backup-env.example");
  expect(assignments.length).toBeGreaterThan(10);
  const script = 'eval "$TEXT"; for name in "$@"; do printf "%s\\0" "${!name}"; done';
  const sourced = execFileSync(
    "bash",
    ["--noprofile", "--norc", "-c", script, "bash", ...assignments.map(({ name }) => name)],
    { env: { PATH: process.env["PATH"], TEXT: text } },
  );
  expect(sourced.toString("utf8").split("\0").slice(0, -1)).toEqual(assignments.map(({ value }) => value));
});

test("as it is, only what a program requires is set", () => {
  expect(parseEnvText(readFileSync(EXAMPLE, "utf8"), "backup-env.example").map(({ name }) => name)).toEqual([
    "BACKUP_BUCKET",
    "PGDATA",
  ]);
});
