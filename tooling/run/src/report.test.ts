import { expect, test } from "vitest";
import { formatStep, formatSummary } from "./report.ts";

const BUILD = { name: "build", passed: 1, failed: 0, output: "noise", seconds: 3.14 };
const TESTS = { name: "tests", passed: 812, failed: 2, output: "first\nsecond\n", seconds: 125 };

test("the summary ends with the counts alone on their line", () => {
  const text = formatSummary([BUILD, TESTS], 128.2);
  expect(text).toBe(`
Summary
  ok      build                         3.1 s
  FAILED  tests                     2 min 5 s   812 passed, 2 failed
  total                             2 min 8 s

813 passed, 2 failed
`);
  expect(text.split("\n").every((line) => line.length <= 80)).toBe(true);
});

test("what this machine could not look at stands above the counts, with the reason", () => {
  const notLookedAt = [
    { need: "chromium", reason: "there is no Chromium", tests: 1 },
    { need: "mount", reason: "not\nallowed", tests: 7 },
  ];
  expect(formatSummary([BUILD, { ...TESTS, failed: 0, skipped: 9, notLookedAt }], 128.2)).toBe(`
Summary
  ok      build                         3.1 s
  ok      tests                     2 min 5 s   812 passed, 9 skipped
  total                             2 min 8 s

Not looked at on this machine
  chromium          1 test
    there is no Chromium
  mount             7 tests
    not allowed

813 passed, 0 failed, 9 skipped
`);
});

test("a step shows its output only when it failed", () => {
  expect(formatStep(BUILD, "log")).toBe("  ok      build                         3.1 s\n");
  expect(formatStep(TESTS, "log")).toBe(
    "  FAILED  tests                     2 min 5 s   812 passed, 2 failed\n      first\n      second\n",
  );
});

test("a long output is cut to its end, and the file that has all of it is named", () => {
  const output = Array.from({ length: 100 }, (_, index) => `line ${index}`).join("\n");
  const shown = formatStep({ ...TESTS, output }, ".soar/logs/tests.log").split("\n");
  expect(shown[1]).toBe("      ... 40 lines more in .soar/logs/tests.log");
  expect(shown.at(-2)).toBe("      line 99");
});
