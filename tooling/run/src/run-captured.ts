import { type ChildProcess, spawn } from "node:child_process";
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
const running = new Map<ChildProcess, Promise<CapturedRun>>();
let stopping = false;

/** Runs a program of the workspace to its end in a process group of its own; never rejects. */
export function runCaptured(program: string, args: readonly string[], options: CaptureOptions): Promise<CapturedRun> {
  if (stopping) return Promise.resolve({ status: undefined, output: "not started: the run was stopped\n" });
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...(options.show && process.stdout.isTTY ? {} : { NO_COLOR: "1" }), ...options.env },
    stdio: options.show ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const run = follow(child, program, options.timeoutMs).finally(() => running.delete(child));
  running.set(child, run);
  return run;
}

function follow(child: ChildProcess, program: string, timeoutMs: number): Promise<CapturedRun> {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  const timer = setTimeout(() => {
    output += `\nstopped: it took longer than ${timeoutMs / 60_000} minutes\n`;
    endGroup(child);
  }, timeoutMs);
  return new Promise((resolve) => {
    const finish = (status: number | null) => {
      clearTimeout(timer);
      resolve({ status: status ?? undefined, output });
    };
    child.once("close", finish);
    child.once("error", (error) => {
      output += `unable to start '${program}': ${error.message}\n`;
      finish(null);
    });
  });
}

/** Ends every program that is still running, with its children, and lets no other one start. */
export async function endAllRuns(): Promise<void> {
  stopping = true;
  for (const child of running.keys()) endGroup(child);
  await Promise.all(running.values());
}

/** Asks first, so that tests can stop the servers they started; a group that does not listen is killed. */
function endGroup(child: ChildProcess): void {
  signalGroup(child, "SIGTERM");
  setTimeout(() => signalGroup(child, "SIGKILL"), GRACE_MS).unref();
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
