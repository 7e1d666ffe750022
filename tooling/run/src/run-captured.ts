import { startProgram, type StartedProgram } from "@soar-tooling/test-bench";
import { ROOT } from "./root.ts";

export interface CapturedRun {
  /** Undefined when a signal ended the program or it could not be started. */
  readonly status: number | undefined;
  /** stdout and stderr, in the order in which they came. */
  readonly output: string;
}

export interface CaptureOptions {
  /** After this time the program and all its children are ended and the run counts as failed. */
  readonly timeoutMs: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Shows the output on this terminal instead of keeping it. */
  readonly show?: boolean;
}

const GRACE_MS = 5_000;
const running = new Map<StartedProgram, Promise<CapturedRun>>();
let stopping = false;

/** Runs a program of the workspace to its end in a process group of its own; never rejects. */
export function runCaptured(program: string, args: readonly string[], options: CaptureOptions): Promise<CapturedRun> {
  if (stopping) return Promise.resolve({ status: undefined, output: "not started: the run was stopped\n" });
  const { show = false, timeoutMs } = options;
  const started = startProgram([program, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...(show && process.stdout.isTTY ? {} : { NO_COLOR: "1" }), ...options.env },
    group: true,
    show,
  });
  const run = follow(started, program, timeoutMs).finally(() => running.delete(started));
  running.set(started, run);
  return run;
}

async function follow(started: StartedProgram, program: string, timeoutMs: number): Promise<CapturedRun> {
  let remark = "";
  const timer = setTimeout(() => {
    remark = `\nstopped: it took longer than ${timeoutMs / 60_000} minutes\n`;
    started.end(GRACE_MS);
  }, timeoutMs);
  try {
    const { status } = await started.result;
    return { status: status ?? undefined, output: started.printed() + remark };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { status: undefined, output: `unable to start '${program}': ${reason}\n` };
  } finally {
    clearTimeout(timer);
  }
}

/** Asks every program that is still running to end, with its children, kills what does not listen, and lets no other one start. */
export async function endAllRuns(): Promise<void> {
  stopping = true;
  for (const program of running.keys()) program.end(GRACE_MS);
  await Promise.all(running.values());
}
