import { expect, test } from "vitest";
import { parseSqlChecks } from "./parse-sql-checks.ts";

const parse = (text: string) => parseSqlChecks(text, "/etc/soar/drill.sql");
test("queries with names, databases, comments and what is expected of them", () => {
  const checks = parse(`-- Made by the DBA team.
-- name: devices
-- expect: 42
SELECT count(*) FROM devices;

-- database: staging
-- at most 1% less than production
SELECT count(*)
  -- not only of today
  FROM fixes; 
-- expect: 1|a;b
-- expect: 2|
SELECT * FROM (VALUES (1, 'a;b'), (2, NULL)) v;
`);
  expect(checks).toEqual([
    {
      name: "devices",
      sql: "SELECT count(*) FROM devices;",
      line: 4,
      database: undefined,
      expectation: { kind: "rows", rows: ["42"] },
    },
    {
      name: "SELECT count(*) -- not only of today FROM fixes;",
      sql: "SELECT count(*)\n  -- not only of today\n  FROM fixes;",
      line: 8,
      database: "staging",
      expectation: { kind: "number", side: "less", amount: 1, percent: true },
    },
    {
      name: "SELECT * FROM (VALUES (1, 'a;b'), (2, NULL)) v;",
      sql: "SELECT * FROM (VALUES (1, 'a;b'), (2, NULL)) v;",
      line: 13,
      database: undefined,
      expectation: { kind: "rows", rows: ["1|a;b", "2|"] },
    },
  ]);
});

test.each([
  ["expect: ", { kind: "rows", rows: [""] }],
  ["expect: (no rows)", { kind: "rows", rows: [] }],
  ["expect at least 10", { kind: "bound", side: "at least", value: 10 }],
  ["expect at most: -1.5", { kind: "bound", side: "at most", value: -1.5 }],
  ["same as production", { kind: "same" }],
  ["Same As Production", { kind: "same" }],
  ["at most 100 more than production", { kind: "number", side: "more", amount: 100, percent: false }],
  ["at most 0.5 % different from production", { kind: "number", side: "different", amount: 0.5, percent: true }],
  ["at most 10 min older than production", { kind: "older", ms: 600_000 }],
  ["at most 2h older than production", { kind: "older", ms: 7_200_000 }],
  ["must run", { kind: "runs" }],
])("-- %s", (comment, expectation) => {
  expect(parse(`-- ${comment}\nSELECT 1;`)).toMatchObject([{ expectation }]);
});

test.each([
  ["-- expect: 1\nSELECT 1;\nSELECT 2;", "line 3: nothing is said of what is expected of the query"],
  ["-- expct: 1\nSELECT 1;", "line 2: nothing is said"],
  ["\n-- expect 1\nSELECT 1;", "line 2: '-- expect 1' is not understood"],
  ["-- at most 1 parsec older than production\nSELECT 1;", "line 1: '-- at most 1 parsec"],
  ["-- expect: 1\n-- same as production\nSELECT 1;", "line 3: more than one thing is expected"],
  ["-- expect: 1\n-- expect: (no rows)\nSELECT 1;", "line 3: more than one thing is expected"],
  ["-- expect: 1\nSELECT 1", "line 2: the query does not end"],
  ["-- must run\nSELECT 1;\n-- expect: 2\n", "there is an expectation without a query"],
  ["-- expect: 1\n\\! rm -r /;", "line 2: a command of psql is no query"],
  ["-- nothing\n", "there is no query in it"],
])("what would count as passed by a slip is refused with its line: %j", (text, message) => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(message) as string,
      hint: expect.stringMatching(/\.$/) as string,
    }),
  );
});
