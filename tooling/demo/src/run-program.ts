import { spawn } from "node:child_process";
import { serverUser } from "@soar-tooling/test-bench";

/** A program that did not end with status 0, with everything that it printed. */
export class ProgramFailure extends Error {
  override readonly name = "ProgramFailure";
  readonly output: string;

  constructor(message: string, output: string) {
    super(message);
    this.output = output;
  }
}

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Ends the program. */
  readonly signal: AbortSignal;
}

/** Time for a program to give up what it has begun, before it is killed. */
const GRACE_MS = 10_000;

/** Runs a program as the server's user and returns its standard output. Throws a `ProgramFailure`, or the reason of the signal. */
export async function runProgram(
  name: string,
  args: readonly string[],
  { env, cwd, signal }: RunOptions,
): Promise<string> {
  signal.throwIfAborted();
  const { uid, gid } = serverUser();
  const child = spawn(name, args, { uid, gid, cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, all] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    all += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (all += text));
  const end = (): void => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
  };
  signal.addEventListener("abort", end, { once: true });
  const [status, by] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, killedBy) => resolve([code, killedBy]));
  }).finally(() => signal.removeEventListener("abort", end));
  signal.throwIfAborted();
  if (status !== 0)
    throw new ProgramFailure(
      `'${[name, ...args].join(" ")}' ended with ${status === null ? by : `status ${status}`}`,
      all,
    );
  return stdout;
}
