import { existsSync } from "node:fs";
import { join } from "node:path";
import { runBuild } from "./build-workspace.ts";
import { buildZlibSync, CANNOT_BUILD } from "./build-zlib-sync.ts";
import { ROOT } from "./root.ts";
import { type CapturedRun, runCaptured } from "./run-captured.ts";
import { runTests } from "./run-tests.ts";
import type { Step, StepResult } from "./steps.ts";
import type { TestOptions } from "./test-options.ts";

const CHECK_TIMEOUT_MS = 5 * 60_000;
const CHECKS = "tooling/checks/src/main.ts";
const GENERATED_DOCS = "tooling/checks/src/generated-docs.ts";

/**
 * Everything that CI runs: the build first, the tests last and alone, because some of them measure time. On one major of PostgreSQL
 * only what can differ there.
 */
export function allSteps(cores: number, options: TestOptions): Step[] {
  const build: Step = { name: "build", cores, run: async () => oneResult(await runBuild()) };
  const tests: Step = { name: "tests", cores, run: () => runTests(cores, options) };
  if (options.major !== undefined) return [build, tests];
  return [
    build,
    { name: "zlib-sync", cores: 1, run: runZlibSyncBuild },
    programStep("types", "tsc", ["--noEmit", "-p", "."]),
    programStep("format", "oxfmt", ["--check", "."]),
    programStep("lint", "oxlint", ["--type-aware", "--deny-warnings"]),
    countedStep("house rules", [CHECKS, "house"]),
    ...(existsSync(join(ROOT, GENERATED_DOCS))
      ? [programStep("generated docs", "node", sourceArgs([GENERATED_DOCS]))]
      : []),
    programStep("unused code", "knip", ["--no-progress", "--no-config-hints"]),
    countedStep("packed packages", [CHECKS, "packed"]),
    tests,
  ];
}

/** Where this machine cannot build it, the test that needs it is named at the end, and a failure in CI. */
async function runZlibSyncBuild(): Promise<StepResult> {
  const run = await buildZlibSync();
  return run.status === CANNOT_BUILD ? { passed: 0, failed: 0, output: run.output } : oneResult(run);
}

function programStep(name: string, program: string, args: readonly string[]): Step {
  return {
    name,
    cores: 1,
    run: async () => oneResult(await runCaptured(program, args, { timeoutMs: CHECK_TIMEOUT_MS })),
  };
}

/** A program that counts its own results and says so in its last line, as `npm test` does. */
function countedStep(name: string, args: readonly string[]): Step {
  return {
    name,
    cores: 1,
    async run() {
      const result = await runCaptured("node", sourceArgs(args), { timeoutMs: CHECK_TIMEOUT_MS });
      const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(result.output) ?? [];
      if (passed === undefined || failed === undefined) return { passed: 0, failed: 1, output: result.output };
      return {
        passed: Number(passed),
        failed: Math.max(Number(failed), result.status === 0 ? 0 : 1),
        output: result.output,
      };
    },
  };
}

function sourceArgs(args: readonly string[]): string[] {
  return ["--conditions=soar-source", ...args];
}

function oneResult({ status, output }: CapturedRun): StepResult {
  return status === 0 ? { passed: 1, failed: 0, output } : { passed: 0, failed: 1, output };
}
