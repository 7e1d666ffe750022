import { isAbsolute, join } from "node:path";
import type { Lack } from "@soar-tooling/test-bench";

export interface RecordedTest {
  readonly name: string;
  /** As vitest says it: `pending` is a test that never came to an end. */
  readonly state: "passed" | "failed" | "skipped" | "pending";
  /** Why this machine cannot run it: see `requires` in @soar-tooling/test-bench. */
  readonly lack?: Lack | undefined;
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

/** What this machine lacks, and how many tests did not look because of it. */
export interface NotLookedAt extends Lack {
  readonly tests: number;
}

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  /** Skipped where skipping was allowed. */
  readonly skipped: number;
  /** Of those, what the machine lacks for. */
  readonly notLookedAt: readonly NotLookedAt[];
  /** One line for each failure that vitest itself does not call one. */
  readonly notes: readonly string[];
}

/**
 * Suites that may not be skipped, by a part of their path or name or by what they need; `all`, but for a need with a `-` before it; or
 * what this machine can: then a test is skipped for a need that it names with `requires`, and for nothing else.
 */
export type Required = readonly string[] | "what this machine can";

/**
 * Counts a run the strict way: a skipped test of a required suite, a test file that did not run and an error outside
 * of the tests are failures.
 */
export function countTests(report: TestReport, expectedFiles: readonly string[], required: Required): TestCounts {
  const notes: string[] = [];
  const lacks = new Map<string, NotLookedAt>();
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const module of report.modules) {
    totals.failed += module.errors;
    if (module.tests.length === 0 && module.errors === 0) notes.push(`no test in ${module.path}`);
    for (const test of module.tests) {
      if (test.state === "passed" || test.state === "failed") totals[test.state] += 1;
      else if (test.state === "skipped" && !isRequired(module, test, required)) {
        totals.skipped += 1;
        if (test.lack !== undefined)
          lacks.set(test.lack.need, { ...test.lack, tests: (lacks.get(test.lack.need)?.tests ?? 0) + 1 });
      } else notes.push(noteOf(module, test));
    }
  }
  const ran = new Set(report.modules.map(({ path }) => path));
  for (const file of expectedFiles) if (!ran.has(file)) notes.push(`not run: ${file}`);
  if (report.unhandledErrors > 0) notes.push(`errors outside of the tests: ${report.unhandledErrors}`);
  return { ...totals, failed: totals.failed + notes.length, notLookedAt: [...lacks.values()], notes };
}

function noteOf({ path }: RecordedModule, { name, state, lack }: RecordedTest): string {
  const what = `${state === "skipped" ? "skipped" : "not finished"}: ${path} > ${name}`;
  return lack === undefined ? what : `${what} (needs ${lack.need}: ${lack.reason})`;
}

/** Suites named by SOAR_TEST_REQUIRE. Unset, CI requires all, and any other machine what it can. */
export function requiredSuites(variable: string | undefined, isCi: boolean): Required {
  if (variable === undefined) return isCi ? ["all"] : "what this machine can";
  return variable
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
}

function isRequired({ path }: RecordedModule, { name, lack }: RecordedTest, required: Required): boolean {
  if (required === "what this machine can") return lack === undefined;
  if (required.some((suite) => suite === `-${lack?.need}`)) return false;
  const title = `${path} ${name}`.toLowerCase();
  return required.some((suite) => suite === "all" || suite === lack?.need || title.includes(suite));
}

/** Makes the paths of a report relative to the checkout, as people read them. */
export function relativeTo(root: string, report: TestReport): TestReport {
  const prefix = join(root, "/");
  const shorten = (path: string) => (isAbsolute(path) && path.startsWith(prefix) ? path.slice(prefix.length) : path);
  return { ...report, modules: report.modules.map((module) => ({ ...module, path: shorten(module.path) })) };
}
