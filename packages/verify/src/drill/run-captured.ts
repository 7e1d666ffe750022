import { spawn } from "node:child_process";
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

/**
 * Runs a program to its end, whatever its status, and keeps what it prints, without secrets. An abort ends it with everything
 * that it started, and rejects with the reason. Rejects with `PROGRAM_MISSING` when it cannot be run at all.
 */
export async function runCaptured(path: string, args: readonly string[], { env, owner, cwd = "/", signal }: RunCapturedOptions): Promise<Captured> {
  const child = spawn(path, args, { env: { ...env }, cwd, stdio: ["ignore", "pipe", "pipe"], detached: true, ...owner });
  const kept = { stdout: "", stderr: "", output: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      kept[name] = (kept[name] + text).slice(-KEPT_CHARACTERS);
      kept.output = (kept.output + text).slice(-KEPT_CHARACTERS);
    });
  }
  const stop = (): void => endGroup(child.pid);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const [status, by] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once("error", (cause) => reject(new SoarError("PROGRAM_MISSING", `unable to run '${path}': ${cause.message}`, { cause })));
      child.once("close", (code, signalName) => resolve([code, signalName]));
    });
    signal.throwIfAborted();
    const ending = by === null ? `'${basename(path)}' ended with exit status ${status}` : `'${basename(path)}' was ended by ${by}`;
    return { status: status ?? undefined, ending, stdout: redactSecrets(kept.stdout), stderr: redactSecrets(kept.stderr), output: redactSecrets(kept.output) };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch (error) {
    // It has just ended.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** What a program complained of, for a sentence. */
export function complaintOf({ ending, stderr }: Captured): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return [ending, ...lines.filter((line) => /error|fatal|could not|failed/i.test(line)).slice(0, 3)].join("; ");
}
