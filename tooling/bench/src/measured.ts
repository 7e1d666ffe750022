import { startProgram, type StartOptions } from "@soar-tooling/test-bench";
import { isPostgres, peakMb, processTree } from "./process-cost.ts";

export interface Measured {
  readonly seconds: number;
  /** Bytes that were read, and that were stored. */
  readonly plain: number;
  readonly stored: number;
  /** Most memory of the process and its children, in bytes; 0 where it was not looked at. */
  readonly peak: number;
}

type Measure = () => Promise<Measured> | Measured;

/** The run in the middle, by time. */
export async function median(runs: number, measure: Measure): Promise<Measured> {
  const [middle] = await medians(runs, [measure]);
  return middle;
}

/** The same for several, taken in turn: what the machine's neighbours do meets all of them. */
export async function medians<const All extends readonly [Measure, ...Measure[]]>(
  runs: number,
  measures: All,
): Promise<{ [Each in keyof All]: Measured }> {
  const all: Measured[][] = measures.map(() => []);
  for (let count = 0; count < runs; count += 1) {
    for (const [at, measure] of measures.entries()) all[at]?.push(await measure());
  }
  const middles = all.map(
    (taken) => taken.toSorted((left, right) => left.seconds - right.seconds)[Math.floor(runs / 2)],
  );
  if (middles.includes(undefined)) throw new RangeError("at least one run is needed");
  return middles as { [Each in keyof All]: Measured };
}

export const rateOf = ({ plain, seconds }: Measured): number => plain / 1e6 / seconds;

export const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** One line: what, rate, size, memory, and the limit or another remark. */
export function print(what: string, measured: Measured, note = ""): void {
  const { stored, peak, seconds } = measured;
  const columns = [
    what.padEnd(44),
    `${rateOf(measured).toFixed(0).padStart(5)} MB/s`,
    `${seconds.toFixed(1).padStart(6)} s`,
    `${(stored / 1e6).toFixed(1).padStart(8)} MB`,
    peak === 0 ? "          " : `${(peak / 1e6).toFixed(0).padStart(4)} MB RAM`,
    note,
  ];
  console.log(columns.join("  ").trimEnd());
}

export interface ProgramRun {
  readonly seconds: number;
  readonly stdout: string;
  readonly peak: number;
}

/** Runs a program to its end, and watches the memory of everything that it starts but PostgreSQL, whose memory is set by its own settings. Rejects with its words when it fails. */
export async function measureProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  { user, cwd = process.cwd() }: Partial<Pick<StartOptions, "user" | "cwd">> = {},
): Promise<ProgramRun> {
  const start = performance.now();
  const started = startProgram([program, ...args], { cwd, env, user });
  let peak = 0;
  const sampler = setInterval(() => {
    // The kernel's high-water mark of each process, which no sampling misses; the sum of those that live is an upper bound.
    const living = started.pid === undefined ? [] : processTree(started.pid).filter((pid) => !isPostgres(pid));
    peak = Math.max(
      peak,
      living.reduce((sum, pid) => sum + peakMb(pid) * 1024 * 1024, 0),
    );
  }, 200);
  const { status, stdout, stderr } = await started.result.finally(() => clearInterval(sampler));
  if (status !== 0) throw new Error(`${program} ended with ${String(status)}: ${stderr}${stdout}`);
  return { seconds: (performance.now() - start) / 1000, stdout, peak };
}
