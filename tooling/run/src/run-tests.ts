import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./root.ts";
import { runCaptured } from "./run-captured.ts";
import type { StepResult } from "./steps.ts";
import { countTests, relativeTo, requiredSuites, type TestReport } from "./test-counts.ts";
import { listTestFiles } from "./test-files.ts";

/** Only for a run that hangs: a loaded machine takes three times as long as a quiet one. */
const TESTS_TIMEOUT_MS = 60 * 60_000;
const REPORT = join(ROOT, ".soar", "tests.json");

/** Runs every test file with vitest on this terminal and counts the outcome strictly (see `countTests`). */
export async function runTests(cores: number): Promise<StepResult> {
  await rm(REPORT, { force: true });
  const args = ["run", `--maxWorkers=${cores}`, "--reporter=default", "--reporter=./tooling/run/src/count-reporter.ts"];
  const env = { SOAR_TEST_REPORT: REPORT };
  const { status, output } = await runCaptured("vitest", args, { timeoutMs: TESTS_TIMEOUT_MS, env, show: true });
  const required = requiredSuites(process.env.SOAR_TEST_REQUIRE, (process.env.CI ?? "") !== "");
  const report = await readReport();
  if (report === undefined)
    return { passed: 0, failed: 1, output: `${output}vitest ended with ${status ?? "a signal"} and without a report` };
  const counts = countTests(relativeTo(ROOT, report), await listTestFiles(ROOT), required);
  const unexplained =
    status !== 0 && counts.failed === 0 ? [`vitest ended with ${status ?? "a signal"} although no test failed`] : [];
  return {
    passed: counts.passed,
    skipped: counts.skipped,
    notLookedAt: counts.notLookedAt,
    failed: counts.failed + unexplained.length,
    output: [output, ...counts.notes, ...unexplained].join("\n"),
  };
}

async function readReport(): Promise<TestReport | undefined> {
  try {
    return JSON.parse(await readFile(REPORT, "utf8")) as TestReport;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
