import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Added to an environment that holds nothing of this machine's settings. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Another program than the fixture from source: its arguments for Node. */
  readonly program?: readonly string[];
}

// Behind `--`, or Node itself takes `--env-file` for its own: it ends with 9 for a file that does not exist, and obeys
// NODE_OPTIONS in one that does (https://github.com/nodejs/node/issues/54232).
export const FIXTURE = ["--conditions=soar-source", "--", fileURLToPath(new URL("fixture-app.ts", import.meta.url))];

export function startFixture(args: readonly string[], options: RunOptions = {}): ChildProcessWithoutNullStreams {
  const environment = { PATH: process.env["PATH"], TZ: "UTC", BACKUP_ENV_FILE: "/dev/null", ...options.environment };
  return spawn(process.execPath, [...(options.program ?? FIXTURE), ...args], { env: environment, stdio: "pipe" });
}

/** Runs the fixture app as a process of its own, without input. */
export async function runFixture(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = startFixture(args, options);
  child.stdin.end();
  return outcomeOf(child);
}

export async function outcomeOf(child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { status, signal, stdout: Buffer.concat(stdout).toString("utf8"), stderr: Buffer.concat(stderr).toString("utf8") };
}
