import { isAbsolute, join } from "node:path";

export interface RecordedTest {
  readonly name: string;
  /** As vitest says it: `pending` is a test that never came to an end. */
  readonly state: "passed" | "failed" | "skipped" | "pending";
}

/** One test file and what became of it. */
export interface RecordedModule {
  readonly path: string;
  /** Failures outside of any test: the file did not load, or a hook of a suite threw. */
  readonly errors: number;
  readonly tests: readonly RecordedTest[];
}

export interface TestReport {
  readonly modules: readonly RecordedModule[];
  readonly unhandledErrors: number;
}

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  /** Skipped where skipping was allowed. */
  readonly skipped: number;
  /** One line for each failure that vitest itself does not call one. */
  readonly notes: readonly string[];
}

/**
 * Counts a run the strict way: a skipped test of a required suite, a test file that did not run and an error outside
 * of the tests are failures. A suite is required when its name (or `all`) is among `required` and stands in the
 * path of the file or in the name of the test.
 */
export function countTests(
  report: TestReport,
  expectedFiles: readonly string[],
  required: readonly string[],
): TestCounts {
  const notes: string[] = [];
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const module of report.modules) {
    totals.failed += module.errors;
    if (module.tests.length === 0 && module.errors === 0) notes.push(`no test in ${module.path}`);
    for (const test of module.tests) {
      if (test.state === "passed" || test.state === "failed") totals[test.state] += 1;
      else if (test.state === "skipped" && !isRequired(`${module.path} ${test.name}`, required)) totals.skipped += 1;
      else notes.push(`${test.state === "skipped" ? "skipped" : "not finished"}: ${module.path} > ${test.name}`);
    }
  }
  const ran = new Set(report.modules.map(({ path }) => path));
  for (const file of expectedFiles) if (!ran.has(file)) notes.push(`not run: ${file}`);
  if (report.unhandledErrors > 0) notes.push(`errors outside of the tests: ${report.unhandledErrors}`);
  return { ...totals, failed: totals.failed + notes.length, notes };
}

/** Suites named by SOAR_TEST_REQUIRE; unset means all, so that a green run never hides what it did not do. */
export function requiredSuites(variable: string | undefined): readonly string[] {
  return (variable ?? "all")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
}

function isRequired(title: string, required: readonly string[]): boolean {
  return required.some((suite) => suite === "all" || title.toLowerCase().includes(suite));
}

/** Makes the paths of a report relative to the checkout, as people read them. */
export function relativeTo(root: string, report: TestReport): TestReport {
  const prefix = join(root, "/");
  const shorten = (path: string) => (isAbsolute(path) && path.startsWith(prefix) ? path.slice(prefix.length) : path);
  return { ...report, modules: report.modules.map((module) => ({ ...module, path: shorten(module.path) })) };
}
