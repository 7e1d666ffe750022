import fc from "fast-check";
import { expect, test } from "vitest";
import { formatLibraryList, libraryOf, parseLibraryList } from "./library-list.ts";

test.each([
  ["", []],
  [" \t", []],
  ["pg_cron", ["pg_cron"]],
  [
    ' pg_stat_statements ,\n"Time, scaled" , $libdir/pg_net.so',
    ["pg_stat_statements", "Time, scaled", "$libdir/pg_net.so"],
  ],
  ['"say ""so""",/opt/my lib/x', ['say "so"', "/opt/my lib/x"]],
  ['odd"name', ['odd"name']],
  // The server loads nothing of these, and says so in its log.
  ["pg_cron,", []],
  [",pg_cron", []],
  ["pg_cron,,pg_net", []],
  ['"pg_cron', []],
  ['"pg_cron" x, pg_net', []],
])("the server preloads from %j what it reads there", (setting, names) => {
  expect(parseLibraryList(setting)).toEqual(names);
});

test("names in a list are read back as they were", () => {
  const name = fc.oneof(fc.string(), fc.constantFrom("", " ", '"', "a,b", "\ta", "a ", 'b"'));
  fc.assert(
    fc.property(fc.array(name), (names) => {
      expect(parseLibraryList(formatLibraryList(names))).toEqual(names);
    }),
  );
});

test.each(["pg_cron", "pg_cron.so", "$libdir/pg_cron", "/usr/lib/postgresql/15/lib/pg_cron.so"])(
  "%s is the library pg_cron",
  (name) => {
    expect(libraryOf(name)).toBe("pg_cron");
  },
);
