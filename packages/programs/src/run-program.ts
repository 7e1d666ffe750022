import { meansAbsent, systemErrorCode } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import { KeptText } from "./kept-text.ts";
import { describeDelay, type ProgramEnd } from "./program-end.ts";
import type { ProgramOptions } from "./program-options.ts";
import { SpawnedProgram } from "./spawned-program.ts";

export interface RunProgramOptions extends ProgramOptions {
  /** What it reads; nothing unless given. A program that does not read to the end is judged by its exit status. */
  readonly input?: string | undefined;
  /** A program that takes longer is ended, and has no exit status. */
  readonly timeoutMs?: number | undefined;
  /** Of each stream, its beginning and its end; 64 Ki unless said otherwise. */
  readonly maxCharacters?: number | undefined;
  /** A descriptor that gets what it prints, instead of keeping it. */
  readonly printTo?: number | undefined;
}

/** Without secrets. */
export interface ProgramResult extends ProgramEnd {
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they came. */
  readonly output: string;
}

const KEPT_CHARACTERS = 64 * 1024;

/**
 * Runs a program to its end, whatever its status, and keeps what it prints. What it leaves running behind it is not waited
 * for, and is ended unless it may outlive us. An abort ends it with everything that it started, by force when it does not
 * listen, and rejects with the signal's reason. Rejects with `PROGRAM_MISSING` when it cannot be run at all.
 */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: RunProgramOptions,
): Promise<ProgramResult> {
  const { signal, input, timeoutMs, maxCharacters = KEPT_CHARACTERS, printTo } = options;
  signal?.throwIfAborted();
  const place = printTo ?? "pipe";
  let received = 0;
  const program = new SpawnedProgram(path, args, {
    ...options,
    stdio: [input === undefined ? "ignore" : "pipe", place, place],
    received: () => received,
  });
  const { child, ended } = program;
  // It may have ended, or closed its input.
  child.stdin?.on("error", () => undefined).end(input);
  const kept = {
    stdout: new KeptText(maxCharacters),
    stderr: new KeptText(maxCharacters),
    output: new KeptText(maxCharacters),
  };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      received += text.length;
      kept[name].add(text);
      kept.output.add(text);
    });
  }
  let delay: ProgramEnd | undefined;
  const stop = (limit: number): void => {
    delay = describeDelay(path, limit);
    program.stop();
  };
  const timeout = timeoutMs === undefined ? undefined : setTimeout(stop, timeoutMs, timeoutMs);
  try {
    const end = await ended;
    signal?.throwIfAborted();
    const { stdout, stderr, output } = kept;
    return { ...(delay ?? end), stdout: stdout.toString(), stderr: stderr.toString(), output: output.toString() };
  } finally {
    clearTimeout(timeout);
  }
}

/** `runProgram`; undefined when there is no such program, or none that may be run. */
export async function runIfPresent(
  path: string,
  args: readonly string[],
  options: RunProgramOptions,
): Promise<ProgramResult | undefined> {
  try {
    return await runProgram(path, args, options);
  } catch (error) {
    const isMissing = meansAbsent(error) || systemErrorCode(error) === "EACCES";
    if (hasErrorCode(error, "PROGRAM_MISSING") && isMissing) return undefined;
    throw error;
  }
}
