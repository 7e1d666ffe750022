import { type ChildProcess, spawn } from "node:child_process";
import type { ServerUser } from "./server-user.ts";

/** How a program ended, and what it printed. */
export interface ProgramResult {
  /** `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly cwd: string;
  /** The whole environment: nothing of the caller's is added. */
  readonly env: NodeJS.ProcessEnv;
  /** Whose program it is; undefined: the caller's. */
  readonly user?: Pick<ServerUser, "uid" | "gid"> | undefined;
  /** In a process group of its own, which signals then reach whole: what a launcher started goes with it. */
  readonly group?: boolean;
  /** Written to its standard input, which is empty without it. */
  readonly input?: string;
  /** Shows what it prints on this terminal instead of keeping it. */
  readonly show?: boolean;
}

export interface StartedProgram {
  readonly pid: number | undefined;
  /** Rejects when the program could not be started. */
  readonly result: Promise<ProgramResult>;
  /** What it has printed until now, stdout and stderr in the order in which they came. */
  printed(): string;
  /** Resolves when it has printed this text; rejects with what it printed instead when it ends without. */
  says(text: string): Promise<void>;
  /** Signals the program, or its whole group. Does nothing when it has ended. */
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, so that it can give up what it has begun, and SIGKILL after this many milliseconds. */
  end(graceMs: number): void;
}

/** Starts a program and follows it to its end. */
export function startProgram([program = "", ...args]: readonly string[], options: StartOptions): StartedProgram {
  const { cwd, env, user, group = false, show = false } = options;
  const output = show ? "inherit" : "pipe";
  const child = spawn(program, args, {
    cwd,
    env,
    detached: group,
    stdio: [options.input === undefined ? "ignore" : "pipe", output, output],
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  let [stdout, stderr, printed] = ["", "", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    printed += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    printed += text;
  });
  feed(child, options.input);
  // Its id is free to be given out again once it has ended; while others of its group hold its output, it has not.
  let closed = false;
  const kill = (signal: NodeJS.Signals): void => (closed ? undefined : signalProgram(child, signal, group));
  return {
    pid: child.pid,
    result: new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, signal) => {
        closed = true;
        resolve({ status, signal, stdout, stderr });
      });
    }),
    printed: () => printed,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => (printed.includes(text) ? resolve() : undefined);
        look();
        for (const stream of [child.stdout, child.stderr]) stream?.on("data", look);
        child.once("close", () => reject(new Error(`'${program}' ended without saying '${text}':\n${printed}`)));
      }),
    kill,
    end(graceMs) {
      kill("SIGTERM");
      setTimeout(() => kill("SIGKILL"), graceMs).unref();
    },
  };
}

/** A program may end without reading its input; its exit status tells more than the broken pipe. */
function feed(child: ChildProcess, input: string | undefined): void {
  child.stdin?.on("error", (error: NodeJS.ErrnoException) => (error.code === "EPIPE" ? undefined : child.kill()));
  child.stdin?.end(input);
}

function signalProgram({ pid }: ChildProcess, signal: NodeJS.Signals, group: boolean): void {
  if (pid === undefined) return;
  try {
    process.kill(group ? -pid : pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
