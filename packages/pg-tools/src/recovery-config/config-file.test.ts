import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatConfigSetting, parseConfigSettings } from "./config-file.ts";

describe("settings of a configuration file", () => {
  test("survive writing and reading", () => {
    const names = fc.stringMatching(/^[a-z_][a-z0-9_.]*$/).filter((name) => !name.startsWith("include"));
    const values = fc.string({ unit: "grapheme" }).filter((value) => !/[\n\r\0]/.test(value));
    fc.assert(
      fc.property(names, values, (name, value) => {
        expect(parseConfigSettings(`# first\n${formatConfigSetting(name, value)} # comment\n`)).toEqual([
          { name, value, line: 2 },
        ]);
      }),
    );
  });

  test.each([
    ["Work_Mem = 64MB", "work_mem", "64MB"],
    ["work_mem 64MB#x", "work_mem", "64MB"],
    ["  port=5433  ", "port", "5433"],
    ["search_path '\"$user\", public'", "search_path", '"$user", public'],
    ["a = 'it''s \\'so\\' \\\\ \\t\\101\\q'", "a", "it's 'so' \\ \tAq"],
    ["my.custom = -1.5e3", "my.custom", "-1.5e3"],
    ["x = ''", "x", ""],
  ])("are read from %j", (line, name, value) => {
    expect(parseConfigSettings(line)).toEqual([{ name, value, line: 1 }]);
  });

  test.each([
    "",
    "# port = 1",
    "port",
    "port =",
    "port = 1 2",
    "port = 'open",
    "include 'other.conf'",
    "include_dir = 'conf.d'",
    "1x = 2",
  ])("are not read from %j", (line) => {
    expect(parseConfigSettings(line)).toEqual([]);
  });

  test.each([
    ["a b", "1"],
    ["", "1"],
    ["a", "1\n2"],
    ["a", "1\r"],
    ["a", "\0"],
  ])("are refused: %j with %j", (name, value) => {
    expect(() => formatConfigSetting(name, value)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });
});
