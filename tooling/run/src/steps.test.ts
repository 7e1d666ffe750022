import { expect, test } from "vitest";
import { runSteps, type Step, type StepResult } from "./steps.ts";

const OK: StepResult = { passed: 1, failed: 0, output: "" };

/** Steps that write down when they start and end, and end when they are told to. */
function recorder() {
  const events: string[] = [];
  const ends = new Map<string, (result: StepResult | PromiseLike<StepResult>) => void>();
  const step = (name: string, cores: number): Step => ({
    name,
    cores,
    run: () => {
      events.push(`${name} starts`);
      return new Promise((resolve) => ends.set(name, resolve));
    },
  });
  const end = async (name: string, result: StepResult | PromiseLike<StepResult> = OK) => {
    events.push(`${name} ends`);
    ends.get(name)?.(result);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  return { events, step, end };
}

test("a step with all cores divides what comes before it from what comes after", async () => {
  const { events, step, end } = recorder();
  const run = runSteps([step("build", 2), step("types", 1), step("lint", 1), step("tests", 2)], 2, () => undefined);
  await end("build");
  await end("lint");
  await end("types");
  await end("tests");
  await run;
  expect(events).toEqual([
    "build starts",
    "build ends",
    "types starts",
    "lint starts",
    "lint ends",
    "types ends",
    "tests starts",
    "tests ends",
  ]);
});

test("runs on one core, and goes on after failures and exceptions", async () => {
  const failing: Step = { name: "a", cores: 4, run: () => Promise.resolve({ passed: 0, failed: 2, output: "x" }) };
  const throwing: Step = { name: "b", cores: 4, run: () => Promise.reject(new Error("no")) };
  const last: Step = { name: "c", cores: 1, run: () => Promise.resolve(OK) };
  const finished = await runSteps([failing, throwing, last], 1, () => undefined);
  expect(finished.map(({ name, passed, failed }) => [name, passed, failed])).toEqual([
    ["a", 0, 2],
    ["b", 0, 1],
    ["c", 1, 0],
  ]);
  expect(finished[1]?.output).toContain("Error: no");
});
