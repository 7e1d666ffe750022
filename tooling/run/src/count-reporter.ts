import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Reporter, TestModule } from "vitest/node";
import type { RecordedModule } from "./test-counts.ts";

/** Writes what ran, test by test, to the file that SOAR_TEST_REPORT names; `npm test` counts from it. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const path = process.env.SOAR_TEST_REPORT;
    if (path === undefined) return;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, JSON.stringify({ modules: modules.map(record), unhandledErrors: unhandledErrors.length }));
  }
}

function record(module: TestModule): RecordedModule {
  const tests = Array.from(module.children.allTests(), (test) => ({
    name: test.fullName,
    state: test.result().state,
    lack: test.meta().lack,
  }));
  const suiteErrors = Array.from(module.children.allSuites(), (suite) => suite.errors().length);
  return {
    path: module.moduleId,
    errors: module.errors().length + suiteErrors.reduce((sum, count) => sum + count, 0),
    tests,
  };
}
