import { describe, expect, test } from "vitest";
import { countTests, type RecordedModule, requiredSuites } from "./test-counts.ts";

function module(path: string, ...states: RecordedModule["tests"][number]["state"][]): RecordedModule {
  return { path, errors: 0, tests: states.map((state, index) => ({ name: `test ${index}`, state })) };
}

const report = (...modules: RecordedModule[]) => ({ modules, unhandledErrors: 0 });
const ALL = ["all"];

describe("countTests", () => {
  test("counts what passed and failed", () => {
    expect(countTests(report(module("a", "passed", "failed"), module("b", "passed")), ["a", "b"], ALL)).toEqual({
      passed: 2,
      failed: 1,
      skipped: 0,
      notLookedAt: [],
      notes: [],
    });
  });

  test("calls a skipped test of a required suite failed", () => {
    const skipped = module("packages/storage/src/s3.test.ts", "passed", "skipped");
    expect(countTests(report(skipped), [skipped.path], ALL)).toMatchObject({ passed: 1, failed: 1, skipped: 0 });
    expect(countTests(report(skipped), [skipped.path], ["postgres", "s3"])).toMatchObject({
      failed: 1,
      notes: ["skipped: packages/storage/src/s3.test.ts > test 1"],
    });
    expect(countTests(report(skipped), [skipped.path], ["postgres"])).toMatchObject({
      passed: 1,
      failed: 0,
      skipped: 1,
    });
    expect(countTests(report(skipped), [skipped.path], [])).toMatchObject({ failed: 0, skipped: 1 });
  });

  const lack = { need: "mount", reason: "not allowed" };
  const lacking = {
    path: "a",
    errors: 0,
    tests: [
      { name: "fills a disk", state: "skipped", lack },
      { name: "mounts it", state: "skipped", lack },
    ],
  } as const;

  test("names what the machine lacks, and how many tests it kept from looking", () => {
    expect(countTests(report(lacking), ["a"], "what this machine can")).toEqual({
      passed: 0,
      failed: 0,
      skipped: 2,
      notLookedAt: [{ need: "mount", reason: "not allowed", tests: 2 }],
      notes: [],
    });
    const skipped = module("b", "skipped");
    expect(countTests(report(lacking, skipped), ["a", "b"], "what this machine can")).toMatchObject({
      failed: 1,
      skipped: 2,
      notes: ["skipped: b > test 0"],
    });
  });

  test.each([["all"], ["mount"], ["fills"]])("calls it failed where '%s' is required", (suite) => {
    const { failed, notes } = countTests(report(lacking), ["a"], [suite]);
    expect(failed).toBe(suite === "fills" ? 1 : 2);
    expect(notes[0]).toBe("skipped: a > fills a disk (needs mount: not allowed)");
  });

  test("calls it skipped where all is required but this", () => {
    expect(countTests(report(lacking), ["a"], ["all", "-mount"])).toMatchObject({ failed: 0, skipped: 2 });
    expect(countTests(report(lacking, module("b", "skipped")), ["a", "b"], ["all", "-mount"])).toMatchObject({
      failed: 1,
      skipped: 2,
    });
    expect(countTests(report(lacking), ["a"], ["all", "-fuse"])).toMatchObject({ failed: 2 });
  });

  test("finds the suite in the name of the test too", () => {
    const skipped = { path: "a", errors: 0, tests: [{ name: "PostgreSQL 18 > starts", state: "skipped" }] } as const;
    expect(countTests(report(skipped), ["a"], ["postgres"])).toMatchObject({ failed: 1 });
  });

  test("calls a test that never ended failed", () => {
    expect(countTests(report(module("a", "pending")), ["a"], [])).toMatchObject({
      failed: 1,
      notes: ["not finished: a > test 0"],
    });
  });

  test("calls a file that did not run, or holds no test, failed", () => {
    expect(countTests(report(module("a", "passed")), ["a", "b"], [])).toMatchObject({
      passed: 1,
      failed: 1,
      notes: ["not run: b"],
    });
    expect(countTests(report(module("a")), ["a"], [])).toMatchObject({ failed: 1, notes: ["no test in a"] });
  });

  test("counts errors outside of tests", () => {
    expect(
      countTests({ modules: [{ ...module("a", "passed"), errors: 2 }], unhandledErrors: 1 }, ["a"], []),
    ).toMatchObject({ passed: 1, failed: 3 });
  });
});

test("CI requires all suites and others what they can, unless SOAR_TEST_REQUIRE says otherwise", () => {
  expect(requiredSuites(undefined, true)).toEqual(["all"]);
  expect(requiredSuites(undefined, false)).toBe("what this machine can");
  for (const isCi of [true, false]) {
    expect(requiredSuites(" S3, postgres ,", isCi)).toEqual(["s3", "postgres"]);
    expect(requiredSuites("", isCi)).toEqual([]);
  }
});
