import type { FinishedStep } from "./steps.ts";

const SHOWN_LINES = 60;
const SHOWN_CHARACTERS = 240;

/** The line of a finished step, and below it what it printed when it failed. */
export function formatStep(step: FinishedStep, logPath: string): string {
  const line = `${formatRow(step)}\n`;
  return step.failed === 0 || step.output.trim() === "" ? line : `${line}${indent(step.output, logPath)}\n`;
}

/** All steps with their times; the last line is the contract of `.ci/run` and stands alone. */
export function formatSummary(steps: readonly FinishedStep[], totalSeconds: number): string {
  const sum = (count: (step: FinishedStep) => number) => steps.reduce((total, step) => total + count(step), 0);
  return [
    "",
    "Summary",
    ...steps.map(formatRow),
    `  ${"total".padEnd(31)}${formatSeconds(totalSeconds)}`,
    "",
    `${sum(({ passed }) => passed)} passed, ${sum(({ failed }) => failed)} failed`,
    "",
  ].join("\n");
}

function formatRow({ name, passed, failed, seconds }: FinishedStep): string {
  const verdict = failed === 0 ? "ok" : "FAILED";
  const counts = passed + failed === 1 ? "" : `   ${passed} passed${failed === 0 ? "" : `, ${failed} failed`}`;
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
