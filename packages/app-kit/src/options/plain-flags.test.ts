import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { App } from "./command.ts";
import type { OptionTable } from "./option-table.ts";
import { parseWithYargs } from "./parse-flags.ts";
import { parsePlainFlags } from "./plain-flags.ts";

const TABLE: OptionTable = {
  "env-file": { type: "string", help: "a file" },
  jobs: { type: "number", help: "a number" },
  "no-color": { type: "boolean", help: "a switch" },
  json: { type: "boolean", help: "a switch" },
  tag: { type: "list", help: "a list" },
  secret: { type: "string", help: "never on the command line", flag: false, env: "SECRET" },
  output: { type: "string", help: "a file", short: "o" },
  "-dashed": { type: "string", help: "which yargs knows by another name" },
} as unknown as OptionTable;
const APP = { name: "soar-test" } as App;

describe("plain options", () => {
  test("are words, and long options with one value each", () => {
    expect(parsePlainFlags(TABLE, ["--env-file", "/etc/x", "pg_wal/1", "1", "--jobs=4"])).toEqual({
      flags: { "env-file": "/etc/x", jobs: "4" },
      words: ["pg_wal/1", "1"],
    });
  });

  test("may have a value of several lines, and words of any kind between them", () => {
    expect(parsePlainFlags(TABLE, ["a", "--env-file=x\ny", "", "--output", "z\n"])).toEqual({
      flags: { "env-file": "x\ny", output: "z\n" },
      words: ["a", ""],
    });
  });

  test.each([
    [["--env-file"]],
    [["--env-file="]],
    [["--env-file", "-x"]],
    [["--env-file", "a", "--env-file", "b"]],
    [["--json", "word"]],
    [["--tag", "a"]],
    [["--secret", "a"]],
    [["--unknown", "a"]],
    [["--constructor", "a"]],
    [["-o", "a"]],
    [["--"]],
    [["-"]],
    [["--no-env-file"]],
    [["--env-file", '"a"']],
    [["--env-file", "'a"]],
    [["--env-file", 'a"b']],
    [["--env-file", "a'b"]],
    [["---env-file", "a"]],
    [["---dashed", "a"]],
  ])("are not %j", (args) => {
    expect(parsePlainFlags(TABLE, args)).toBeUndefined();
  });

  test("mean the same to yargs", async () => {
    const word = fc.oneof(
      fc.constantFrom(
        "--env-file",
        "--jobs",
        "--json",
        "--output",
        "-o",
        "--tag",
        "--",
        "-",
        "pg_wal/1",
        "12",
        "0x10",
        "a b",
        "a=b",
      ),
      fc.tuple(fc.constantFrom("--env-file=", "--jobs=", "--output="), fc.string()).map((pair) => pair.join("")),
      fc.string({ maxLength: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (args) => {
        const plain = parsePlainFlags(TABLE, args);
        if (plain !== undefined) expect(await parseWithYargs(APP, TABLE, args)).toEqual(plain);
      }),
      { numRuns: 2000 },
    );
  });
});
