import type { NotLookedAt } from "./test-counts.ts";

/** What became of a step, in the units of the last line. */
export interface StepResult {
  readonly passed: number;
  readonly failed: number;
  /** Tests that this machine could not run, and what it lacks for them. */
  readonly skipped?: number;
  readonly notLookedAt?: readonly NotLookedAt[];
  /** What a person needs to mend it; printed only when something failed. */
  readonly output: string;
}

export interface Step {
  readonly name: string;
  /** How many of the cores it keeps busy. */
  readonly cores: number;
  readonly run: () => Promise<StepResult>;
}

export interface FinishedStep extends StepResult {
  readonly name: string;
  readonly seconds: number;
}

/**
 * Runs the steps in order, several at once as far as the cores go, and never stops at a failure. A step does not
 * overtake an earlier one, so a step that needs all cores divides what comes before it from what comes after.
 */
export async function runSteps(
  steps: readonly Step[],
  cores: number,
  onFinish: (step: FinishedStep) => void,
): Promise<FinishedStep[]> {
  const running = new Set<Promise<void>>();
  const finished: FinishedStep[] = [];
  let free = cores;
  for (const step of steps) {
    const needed = Math.min(step.cores, cores);
    while (free < needed) await Promise.race(running);
    free -= needed;
    const run = runStep(step).then((result) => {
      free += needed;
      running.delete(run);
      finished.push(result);
      onFinish(result);
    });
    running.add(run);
  }
  await Promise.all(running);
  return finished;
}

async function runStep({ name, run }: Step): Promise<FinishedStep> {
  const startedAt = performance.now();
  const result = await run().catch((error: unknown): StepResult => ({ passed: 0, failed: 1, output: describe(error) }));
  return { name, ...result, seconds: (performance.now() - startedAt) / 1000 };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
