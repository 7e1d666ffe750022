import type { FinishedStep } from "./steps.ts";
import type { NotLookedAt } from "./test-counts.ts";

const SHOWN_LINES = 60;
const SHOWN_CHARACTERS = 240;

/** The line of a finished step, and below it what it printed when it failed. */
export function formatStep(step: FinishedStep, logPath: string): string {
  const line = `${formatRow(step)}\n`;
  return step.failed === 0 || step.output.trim() === "" ? line : `${line}${indent(step.output, logPath)}\n`;
}

/** All steps with their times, and what this machine could not look at; the last line is the contract of `.ci/run` and stands alone. */
export function formatSummary(steps: readonly FinishedStep[], totalSeconds: number): string {
  const sum = (count: (step: FinishedStep) => number) => steps.reduce((total, step) => total + count(step), 0);
  const skipped = sum(({ skipped: count = 0 }) => count);
  return [
    "",
    "Summary",
    ...steps.map(formatRow),
    `  ${"total".padEnd(31)}${formatSeconds(totalSeconds)}`,
    ...formatLacks(steps.flatMap(({ notLookedAt = [] }) => notLookedAt)),
    "",
    `${sum(({ passed }) => passed)} passed, ${sum(({ failed }) => failed)} failed${formatSkipped(skipped)}`,
    "",
  ].join("\n");
}

function formatLacks(lacks: readonly NotLookedAt[]): string[] {
  if (lacks.length === 0) return [];
  const lines = lacks.flatMap(({ need, reason, tests }) => [
    `  ${need.padEnd(18)}${tests === 1 ? "1 test" : `${tests} tests`}`,
    `    ${reason.replaceAll(/\s+/g, " ").slice(0, SHOWN_CHARACTERS)}`,
  ]);
  return ["", "Not looked at on this machine", ...lines];
}

const formatSkipped = (count: number): string => (count === 0 ? "" : `, ${count} skipped`);

function formatRow({ name, passed, failed, seconds, skipped = 0 }: FinishedStep): string {
  const verdict = failed === 0 ? "ok" : "FAILED";
  const failures = failed === 0 ? "" : `, ${failed} failed`;
  const counts = passed + failed + skipped === 1 ? "" : `   ${passed} passed${failures}${formatSkipped(skipped)}`;
  return `  ${verdict.padEnd(8)}${name.padEnd(23)}${formatSeconds(seconds)}${counts}`;
}

function formatSeconds(seconds: number): string {
  const rounded = Math.round(seconds * 10) / 10;
  const text =
    rounded < 60 ? `${rounded.toFixed(1)} s` : `${Math.floor(rounded / 60)} min ${Math.round(rounded % 60)} s`;
  return text.padStart(12);
}

/** The end of the output: programs name the cause last more often than first. */
function indent(output: string, logPath: string): string {
  const lines = output.trimEnd().split("\n");
  const omitted = lines.length - SHOWN_LINES;
  const shown = omitted > 0 ? [`... ${omitted} lines more in ${logPath}`, ...lines.slice(-SHOWN_LINES)] : lines;
  return shown.map((line) => `      ${line.slice(0, SHOWN_CHARACTERS)}`.trimEnd()).join("\n");
}
