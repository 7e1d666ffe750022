import { serverUser } from "@soar-tooling/test-bench";
import { measureProgram, type ProgramRun } from "../measured.ts";

/** One measurement: the run in the middle, and how far the others lie apart. */
export interface Timing {
  readonly seconds: number;
  readonly fastest: number;
  readonly slowest: number;
}

/** Runs a program as the server's user, from a directory that it may enter. */
export async function timed(words: readonly string[], env: Readonly<Record<string, string>>): Promise<ProgramRun> {
  const [program = "", ...args] = words;
  return await measureProgram(
    program,
    args,
    { PATH: process.env["PATH"], ...env },
    { user: serverUser(), cwd: "/tmp" },
  );
}

/** A pipeline of the shell that fails with its first part that does. */
export const shell = (script: string): string[] => ["bash", "-c", `set -eu -o pipefail; ${script}`];

function timingOf(seconds: readonly number[]): Timing {
  const sorted = seconds.toSorted((left, right) => left - right);
  const [middle, fastest, slowest] = [sorted[Math.floor(sorted.length / 2)], sorted[0], sorted.at(-1)];
  if (middle === undefined || fastest === undefined || slowest === undefined)
    throw new RangeError("at least one run is needed");
  return { seconds: middle, fastest, slowest };
}

/** Repeats a measurement. Of the other figures, what the run in the middle had. */
export async function repeat<T extends { readonly seconds: number }>(
  runs: number,
  measure: () => Promise<T>,
): Promise<T & Timing> {
  const all: T[] = [];
  for (let run = 0; run < runs; run += 1) all.push(await measure());
  const timing = timingOf(all.map(({ seconds }) => seconds));
  const middle = all.find(({ seconds }) => seconds === timing.seconds);
  if (middle === undefined) throw new RangeError("at least one run is needed");
  return { ...middle, ...timing };
}
