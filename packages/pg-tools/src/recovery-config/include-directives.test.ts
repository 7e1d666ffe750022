import fc from "fast-check";
import { expect, test } from "vitest";
import { accessTokens } from "./access-tokens.ts";
import { includesOf, redirectIncludes } from "./include-directives.ts";

const targets = (text: string, form: "settings" | "access"): string[] =>
  includesOf(text, "/etc/pg/main/file", form).map(({ kind, target }) => `${kind} ${target}`);

test.each([
  ["local all @users peer", ["list /etc/pg/main/users"]],
  [
    "local @/srv/dbs,postgres @../users.txt,+group,@more peer # @no",
    ["list /srv/dbs", "list /etc/pg/users.txt", "list /etc/pg/main/more"],
  ],
  ['local all @"my users",@us"er"s peer', ["list /etc/pg/main/my users", "list /etc/pg/main/users"]],
  ['local all "@user",@ peer map=@x', []],
  ["# local all @users peer", []],
  ["# local all \\\n @users peer\nlocal all @others peer", ["list /etc/pg/main/others"]],
  ["local all \\\r\n @users\\\n peer\r\n", ["list /etc/pg/main/users"]],
  ['local all @"not closed\n@next', ["list /etc/pg/main/not closed", "list /etc/pg/main/next"]],
  ['local all @"a""b" peer', ['list /etc/pg/main/a"b']],
  ["local all @back\\slash peer", ["list /etc/pg/main/back\\slash"]],
  ["@a#b", ["list /etc/pg/main/a"]],
  [
    'include more\ninclude_dir "a dir"\ninclude_if_exists /x\nhost include all\ninclude a b\ninclude',
    ["file /etc/pg/main/more", "directory /etc/pg/main/a dir", "file-if-there /x"],
  ],
  ["include\\", []],
])("of access rules %j are named", (text, expected) => {
  expect(targets(text, "access")).toEqual(expected);
});

test("in a file of settings an at sign names nothing", () => {
  const text =
    "log_line_prefix = '%m @users '\ninclude 'a.conf'\nInclude_Dir = conf.d\ninclude_if_exists \"b\"\n#include 'c'\n";
  expect(targets(text, "settings")).toEqual([
    "file /etc/pg/main/a.conf",
    "directory /etc/pg/main/conf.d",
    "file-if-there /etc/pg/main/b",
  ]);
  expect(
    redirectIncludes(text, "/etc/pg/main/file", "settings", ({ kind }) =>
      kind === "directory" ? undefined : `/new/${kind}`,
    ),
  ).toBe(
    "log_line_prefix = '%m @users '\ninclude '/new/file'\nInclude_Dir = conf.d\ninclude_if_exists \"/new/file-if-there\"\n#include 'c'\n",
  );
});

test("access rules name the same in their new place as the server reads them: quoted with its signs", () => {
  const text = 'include more # first\nlocal @dbs,all @users,"@me" peer\ninclude_if_exists none\n';
  expect(
    redirectIncludes(text, "/etc/pg/main/file", "access", ({ kind, target }) =>
      kind === "file-if-there" ? undefined : `/a "b"${target}`,
    ),
  ).toBe(
    'include "/a ""b""/etc/pg/main/more" # first\nlocal @"/a ""b""/etc/pg/main/dbs",all @"/a ""b""/etc/pg/main/users","@me" peer\ninclude_if_exists none\n',
  );
});

test("what is redirected anywhere is found there, and nothing else is changed", () => {
  const words = fc.constantFrom(
    "local",
    "all",
    "@users",
    '"@no"',
    '@"a b"',
    "peer",
    ",",
    "#",
    "\\\n",
    "\n",
    "include",
    " ",
    '"',
    "\r\n",
    "@",
  );
  fc.assert(
    fc.property(
      fc.array(words).map((parts) => parts.join(" ")),
      fc.string({ minLength: 1, unit: "binary-ascii" }),
      (text, name) => {
        fc.pre(!/[\n\r\0]/.test(name) && !name.includes("\\"));
        const target = `/new/${name.replaceAll("/", "_")}`;
        const before = includesOf(text, "/etc/file", "access");
        const other = redirectIncludes(text, "/etc/file", "access", () => target);
        expect(includesOf(other, "/", "access").map(({ kind, name: found }) => [kind, found])).toEqual(
          before.map(({ kind }) => [kind, target]),
        );
        expect([...accessTokens(other)]).toHaveLength([...accessTokens(text)].length);
        expect(redirectIncludes(text, "/etc/file", "access", () => undefined)).toBe(text);
      },
    ),
  );
});

test("a file that names millions of lists is read in little memory", () => {
  for (const text of ["@a ".repeat(200_000), "@a\n".repeat(200_000), `${"a ".repeat(200_000)}@b`])
    expect(includesOf(text, "/etc/file", "access").length).toBeLessThanOrEqual(10_000);
});
