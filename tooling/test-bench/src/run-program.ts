import { spawn } from "node:child_process";
import { serverUser } from "./server-user.ts";

export interface ProgramResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Added to an environment that has none of the caller's PG* variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Return the result of a program that failed instead of throwing. */
  readonly mayFail?: boolean;
}

/** The caller's environment without what would silently redirect a server or client program. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|NODE_OPTIONS)/.test(name));
  return { ...Object.fromEntries(kept.map(([name, value]) => [name, value ?? ""])), LC_ALL: "C", TZ: "UTC", ...extra };
}

/** Runs a program as the servers' user. Throws with its stderr unless it exits with 0 or `mayFail` is set. */
export async function runAsServerUser(
  path: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { uid, gid } = serverUser();
  const child = spawn(path, args, {
    uid,
    gid,
    cwd: options.cwd ?? "/",
    env: cleanEnvironment(options.env),
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program may end without reading its input; its exit status tells more than the broken pipe.
  child.stdin.on("error", (error: NodeJS.ErrnoException) => (error.code === "EPIPE" ? undefined : child.kill()));
  child.stdin.end(options.input ?? "");
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, by) => resolve([code, by]));
  });
  const result = { status, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
  if (status !== 0 && options.mayFail !== true) {
    throw new Error(
      `unable to run '${path} ${args.join(" ")}': status ${status ?? signal}\n${result.stderr}${result.stdout}`,
    );
  }
  return result;
}
