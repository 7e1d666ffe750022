import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ROOT } from "./root.ts";
import { countTests, type TestReport } from "./test-counts.ts";

const TEST_BENCH = join(ROOT, "tooling/test-bench/src/index.ts");

const CONFIG = `
import { tagsOfNeeds } from "${TEST_BENCH}";
export default { test: { tags: tagsOfNeeds([
  { need: "mount", description: "", findLack: () => "not allowed" },
  { need: "root", description: "", findLack: () => undefined },
]) } };
`;

const SOME = `
import { requires } from "${TEST_BENCH}";
import { describe, expect, test } from "vitest";
test("looks", requires("root"), () => { expect(1).toBe(1); });
test("cannot look", requires("root", "mount"), () => { throw new Error("ran"); });
test.each([1, 2])("cannot look at %i", { ...requires("mount"), timeout: 1000 }, () => { throw new Error("ran"); });
describe("together", requires("mount"), () => { test("cannot look", () => { throw new Error("ran"); }); });
`;

const WHOLE_FILE = `// @module-tag needs-mount
import { afterAll, beforeAll, test } from "vitest";
beforeAll(() => { throw new Error("ran"); });
afterAll(() => { throw new Error("ran"); });
test("cannot look either", () => { throw new Error("ran"); });
`;

let folder: string;

beforeEach(async () => {
  // Within the checkout, where vitest is found.
  await mkdir(join(ROOT, ".soar"), { recursive: true });
  folder = await mkdtemp(join(ROOT, ".soar", "lacking-"));
  await writeFile(join(folder, "vitest.config.ts"), CONFIG);
  await writeFile(join(folder, "some.test.ts"), SOME);
  await writeFile(join(folder, "whole-file.test.ts"), WHOLE_FILE);
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a test, a suite and a file that need what the machine lacks do not run, nor their hooks, and are told with the reason", async () => {
  const path = join(folder, "report.json");
  const result = await runProgram(
    [
      join(ROOT, "node_modules/.bin/vitest"),
      "run",
      "--root",
      folder,
      "--reporter",
      join(import.meta.dirname, "count-reporter.ts"),
    ],
    { cwd: folder, env: { PATH: process.env["PATH"], SOAR_TEST_REPORT: path }, mayFail: true },
  );
  expect(result).toMatchObject({ status: 0 });
  const report = JSON.parse(await readFile(path, "utf8")) as TestReport;
  expect(countTests(report, [], "what this machine can")).toEqual({
    passed: 1,
    failed: 0,
    skipped: 5,
    notLookedAt: [{ need: "mount", reason: "not allowed", tests: 5 }],
    notes: [],
  });
  expect(countTests(report, [], ["all"])).toMatchObject({ passed: 1, failed: 5, skipped: 0 });
});
