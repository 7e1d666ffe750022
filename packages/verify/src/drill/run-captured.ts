import { spawn, type ChildProcess } from "node:child_process";
import { basename } from "node:path";
import { redactSecrets, SoarError } from "@soar/errors";

export interface RunCapturedOptions {
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Who runs it, when this is root. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly cwd?: string;
  readonly signal: AbortSignal;
}

export interface Captured {
  /** Undefined when it was ended by a signal. */
  readonly status: number | undefined;
  /** How it ended, in words. */
  readonly ending: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they came. */
  readonly output: string;
}

/** Of each stream its end is kept. */
const KEPT_CHARACTERS = 64 * 1024;
/** For what a program printed last, and for a program that is asked to end. */
const PATIENCE_MS = { output: 1000, ending: 10_000 };

/**
 * Runs a program to its end, whatever its status, and keeps what it prints, without secrets. What it leaves running behind it
 * is not waited for, and is ended: the operator's own command may start a server, which would hold the output open for ever.
 * An abort ends it with everything that it started, by force when it does not listen, and rejects with the reason. Rejects
 * with `PROGRAM_MISSING` when it cannot be run at all.
 */
export async function runCaptured(
  path: string,
  args: readonly string[],
  { env, owner, cwd = "/", signal }: RunCapturedOptions,
): Promise<Captured> {
  const child = spawn(path, args, {
    env: { ...env },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    ...owner,
  });
  const kept = { stdout: "", stderr: "", output: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      kept[name] = (kept[name] + text).slice(-KEPT_CHARACTERS);
      kept.output = (kept.output + text).slice(-KEPT_CHARACTERS);
    });
  }
  let force: NodeJS.Timeout | undefined;
  const stop = (): void => {
    endGroup(child.pid, "SIGTERM");
    force = setTimeout(() => endGroup(child.pid, "SIGKILL"), PATIENCE_MS.ending);
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const [status, by] = await endOf(child, path);
    signal.throwIfAborted();
    const ending =
      by === null ? `'${basename(path)}' ended with exit status ${status}` : `'${basename(path)}' was ended by ${by}`;
    return {
      status: status ?? undefined,
      ending,
      stdout: redactSecrets(kept.stdout),
      stderr: redactSecrets(kept.stderr),
      output: redactSecrets(kept.output),
    };
  } finally {
    clearTimeout(force);
    signal.removeEventListener("abort", stop);
    endGroup(child.pid, "SIGKILL");
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Until it has ended and its output has, which others may hold open. */
async function endOf(child: ChildProcess, path: string): Promise<[number | null, NodeJS.Signals | null]> {
  return await new Promise((resolve, reject) => {
    let patience: NodeJS.Timeout | undefined;
    child.once("error", (cause) =>
      reject(new SoarError("PROGRAM_MISSING", `unable to run '${path}': ${cause.message}`, { cause })),
    );
    child.once("exit", (status, by) => (patience = setTimeout(() => resolve([status, by]), PATIENCE_MS.output)));
    child.once("close", (status, by) => {
      clearTimeout(patience);
      resolve([status, by]);
    });
  });
}

function endGroup(pid: number | undefined, signalName: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signalName);
  } catch (error) {
    // Nothing of it is left.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** What a program complained of, for a sentence. */
export function complaintOf({ ending, stderr }: Captured): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return [ending, ...lines.filter((line) => /error|fatal|could not|failed/i.test(line)).slice(0, 3)].join("; ");
}
