import { expect, test } from "vitest";
import { readTestOptions } from "./test-options.ts";

test("tests run on every major, or on one", () => {
  expect(readTestOptions([])).toEqual({});
  expect(readTestOptions(["--major", "19"])).toEqual({ major: 19 });
});

test.each([["--major"], ["--major", "new"], ["--minor", "19"], ["19"]])("%s %s is refused", (...args) => {
  expect(readTestOptions(args)).toBeUndefined();
});
