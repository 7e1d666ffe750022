import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import { join, relative } from "node:path";
import { allSteps } from "./all-steps.ts";
import { formatStep, formatSummary } from "./report.ts";
import { ROOT } from "./root.ts";
import { endAllRuns } from "./run-captured.ts";
import { type FinishedStep, runSteps } from "./steps.ts";
import { readTestOptions } from "./test-options.ts";

/** More than this many at once makes the tests that time things unreliable on a shared machine. */
const MOST_CORES = 4;
const LOGS = join(ROOT, ".soar", "logs");

/** `npm test`: every check and every test, or every test on one major of PostgreSQL; resolves to the exit status. */
export async function testEverything(args: readonly string[]): Promise<number> {
  const options = readTestOptions(args);
  if (options === undefined) {
    process.stderr.write("error: unable to read the arguments\nhint: npm test, or npm test -- --major 19\n");
    return 64;
  }
  endOnSignals();
  mkdirSync(LOGS, { recursive: true });
  const startedAt = performance.now();
  const cores = Math.min(availableParallelism(), MOST_CORES);
  const steps = await runSteps(allSteps(cores, options), cores, (step) => {
    process.stdout.write(formatStep(step, writeLog(step)));
  });
  process.stdout.write(formatSummary(steps, (performance.now() - startedAt) / 1000));
  return steps.some(({ failed }) => failed > 0) ? 1 : 0;
}

function writeLog({ name, output }: FinishedStep): string {
  const path = join(LOGS, `${name.replaceAll(" ", "-")}.log`);
  writeFileSync(path, output);
  return relative(ROOT, path);
}

/** Programs run in groups of their own, so that a timeout can end all of one: Ctrl-C has to be passed on to them. */
function endOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      process.stderr.write(`\n${signal}: stopping what runs\n`);
      void endAllRuns().finally(() => process.exit(128 + constants.signals[signal]));
    });
  }
}
