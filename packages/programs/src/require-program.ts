import { SoarError } from "@soar/errors";
import { type ProgramResult, runProgram, type RunProgramOptions } from "./run-program.ts";

export interface RequireProgramOptions extends RunProgramOptions {
  /** What to do when it fails. */
  readonly hint: string;
}

/** Lines of a program's complaint that an error shows: pg_restore says the same for every table of a thousand. */
const SHOWN_LINES = 5;

/** Runs a program as `runProgram` does, and rejects with `PROGRAM_FAILED` and its words unless it succeeds. */
export async function requireProgram(
  path: string,
  args: readonly string[],
  { hint, ...options }: RequireProgramOptions,
): Promise<ProgramResult> {
  const result = await runProgram(path, args, options);
  if (result.status !== 0) throw programFailed(path, result, hint);
  return result;
}

/** The error of a program that did not succeed; `command` is what a person would call it. */
export function programFailed(command: string, result: ProgramResult, hint: string): SoarError {
  const said = [result.how, ...complaintsOf(result).slice(0, SHOWN_LINES)].join("; ");
  return new SoarError("PROGRAM_FAILED", `unable to run '${command}': ${said}`, { hint });
}

/** How a program ended and what it complained of, for a sentence. */
export function complaintOf(result: ProgramResult): string {
  return [result.ending, ...complaintsOf(result).slice(0, SHOWN_LINES - 2)].join("; ");
}

/** Lines that name a fault; where there are none, all that it said. */
export function complaintsOf({ stdout, stderr }: Pick<ProgramResult, "stdout" | "stderr">): string[] {
  const lines = linesOf(stderr);
  const faults = lines.filter((line) => /error|fatal|could not|failed/i.test(line));
  return faults.length > 0 ? faults : lines.length > 0 ? lines : linesOf(stdout);
}

function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
