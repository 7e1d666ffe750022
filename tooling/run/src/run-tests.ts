import { chmod, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ONLY_MAJOR_VARIABLE } from "@soar-tooling/test-bench";
import { COVERED_PACKAGES } from "./covered-packages.ts";
import { ROOT } from "./root.ts";
import { runCaptured } from "./run-captured.ts";
import type { StepResult } from "./steps.ts";
import { countTests, relativeTo, requiredSuites, type TestReport } from "./test-counts.ts";
import { listTestFiles } from "./test-files.ts";
import type { TestOptions } from "./test-options.ts";
import { whyVitestFailed } from "./why-vitest-failed.ts";

/** Only for a run that hangs: a loaded machine takes three times as long as a quiet one. */
const TESTS_TIMEOUT_MS = 60 * 60_000;
const REPORT = join(ROOT, ".soar", "tests.json");
const COMPILE_CACHE = join(ROOT, ".soar", "compile-cache");

/**
 * Runs every test file with vitest on this terminal and counts the outcome strictly (see `countTests`). The packages whose branches are
 * counted go first and by themselves: what tests of other packages run through does not count, and theirs are not slowed down. With
 * one major of PostgreSQL no branches are counted: some are there for others.
 */
export async function runTests(cores: number, { major }: TestOptions): Promise<StepResult> {
  const files = await listTestFiles(ROOT);
  const folders = [...new Set(files.map((file) => file.split("/").slice(0, 2).join("/")))];
  const isCovered = (folder: string): boolean => COVERED_PACKAGES.some((name) => folder === `packages/${name}`);
  const only = major === undefined ? {} : { [ONLY_MAJOR_VARIABLE]: String(major) };
  const runs = [
    await runVitest(cores, [...folders.filter(isCovered), ...(major === undefined ? ["--coverage"] : [])], only),
    await runVitest(
      cores,
      folders.filter((folder) => !isCovered(folder)),
      { ...only, NODE_COMPILE_CACHE: await compileCache() },
    ),
  ];
  const output = runs.map((run) => run.output).join("");
  const reports = runs.flatMap(({ report }) => report ?? []);
  if (reports.length < runs.length) return { passed: 0, failed: 1, output: `${output}vitest ended without a report` };
  const required = requiredSuites(process.env.SOAR_TEST_REQUIRE, (process.env.CI ?? "") !== "");
  const counts = countTests(relativeTo(ROOT, joined(reports)), files, required);
  // A branch of a covered package that no test takes ends vitest in this way too.
  const isUnexplained = runs.some(({ status }) => status !== 0) && counts.failed === 0;
  const unexplained = isUnexplained ? [UNEXPLAINED, ...whyVitestFailed(output)] : [];
  return {
    passed: counts.passed,
    skipped: counts.skipped,
    notLookedAt: counts.notLookedAt,
    failed: counts.failed + (isUnexplained ? 1 : 0),
    output: [output, ...counts.notes, ...unexplained].join("\n"),
  };
}

const UNEXPLAINED = "vitest failed although no test did, by an error of its own or by branches that no test took:";

interface VitestRun {
  readonly status: number | undefined;
  readonly output: string;
  readonly report: TestReport | undefined;
}

/** `filters` with a slash behind each, so that no folder is taken for the beginning of another. */
async function runVitest(
  cores: number,
  filters: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<VitestRun> {
  await rm(REPORT, { force: true });
  const reporters = ["--reporter=default", "--reporter=./tooling/run/src/count-reporter.ts"];
  const chosen = filters.map((filter) => (filter.startsWith("--") ? filter : `${filter}/`));
  const args = ["run", ...chosen, `--maxWorkers=${cores}`, ...reporters];
  const options = { timeoutMs: TESTS_TIMEOUT_MS, env: { ...env, SOAR_TEST_REPORT: REPORT }, show: true };
  const { status, output } = await runCaptured("vitest", args, options);
  return { status, output, report: await readReport() };
}

/**
 * Where Node keeps what it compiles, for vitest's workers and for the programs that tests start: a twentieth of the processor's time
 * of a test that starts servers, and a sixth of one that does not. Not with coverage, which V8 counts less exactly in what it did
 * not compile itself. Servers, and what they start, belong to another user, who has a directory of its own there.
 */
async function compileCache(): Promise<string> {
  await mkdir(COMPILE_CACHE, { recursive: true });
  await chmod(COMPILE_CACHE, 0o1777);
  return COMPILE_CACHE;
}

function joined(reports: readonly TestReport[]): TestReport {
  return {
    modules: reports.flatMap(({ modules }) => modules),
    unhandledErrors: reports.reduce((sum, { unhandledErrors }) => sum + unhandledErrors, 0),
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
