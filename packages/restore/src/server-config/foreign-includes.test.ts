import { expect, test } from "vitest";
import { withoutForeignIncludes, withoutPidFile } from "./own-places.ts";

test("a pid file at a fixed place is left out, also after an empty line", () => {
  expect(withoutPidFile("port = 1\n\n\n  external_pid_file = '/x'\n# external_pid_file\n")).toBe(
    "port = 1\n\n\n#  external_pid_file = '/x'\n# external_pid_file\n",
  );
});

test.each([
  ["include_dir 'conf.d'", "include_dir 'conf.d'"],
  ["include_dir = 'a/../b'", "include_dir = 'a/../b'"],
  ["include_dir '/etc/x'", "include_dir '/etc/x'"],
  ["\n\n include_dir '../..'", "\n\n# include_dir '../..'"],
  ["include_dir = a/../../b", "#include_dir = a/../../b"],
  ["#include_dir '../x'", "#include_dir '../x'"],
])("directories outside of the data directory are not included, nor made: %j", (text, expected) => {
  expect(withoutForeignIncludes(`port = 1\n${text}\n`, "/srv/pg/data")).toBe(`port = 1\n${expected}\n`);
});
