import { spawn } from "node:child_process";
import { basename } from "node:path";
import { redactSecrets, SoarError } from "@soar/errors";
import { libpqEnvironment, type ServerConfig } from "@soar/pg-tools/replication";

export interface RunProgramOptions {
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** What to do when it fails. */
  readonly hint: string;
  /** What to do when it fails because a file system is full. */
  readonly hintWhenFull: string;
}

const SHOWN_LINES = 5;

/** Runs a program of PostgreSQL to its end. Rejects with `PROGRAM_FAILED` and its first words of complaint, `DISK_FULL` or `ABORTED`. */
export async function runProgram(
  path: string,
  args: readonly string[],
  { env, signal, hint, hintWhenFull }: RunProgramOptions,
): Promise<void> {
  const child = spawn(path, args, { env: { ...env }, stdio: ["ignore", "ignore", "pipe"] });
  // Not by the option of spawn: its error would hide how the program ended.
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    // pg_restore says the same for every table of a thousand.
    if (complaints.length < 64 * 1024) complaints += text;
  });
  try {
    const status = await new Promise<string | undefined>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, by) =>
        resolve(code === 0 ? undefined : by === null ? `exit status ${code}` : `signal ${by}`),
      );
    });
    if (status === undefined) return;
    if (signal.aborted) throw signal.reason;
    const lines = complaints.split("\n").filter((line) => /error|fatal|could not|failed/i.test(line));
    const isFull = lines.some(saysDiskFull);
    throw new SoarError(
      isFull ? "DISK_FULL" : "PROGRAM_FAILED",
      `unable to run '${basename(path)}': ${[status, ...lines.slice(0, SHOWN_LINES)].map(redactSecrets).join("; ")}`,
      { hint: isFull ? hintWhenFull : hint },
    );
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Whether PostgreSQL complains in these words that a file system is full: neither its programs nor a scratch server have a language set. */
export function saysDiskFull(text: string): boolean {
  return text.includes("No space left on device") || text.includes("Disk quota exceeded");
}

/** Of everything that a rescue keeps in its scratch directory. */
export const SCRATCH_FULL =
  "Free space, or name a directory on a larger file system with --temp-dir or BACKUP_TEMP_DIR. Nothing was left behind.";
export const TARGET_FULL = "The running server has no room for it: free space there. Nothing was left behind.";

/** The environment with which a program of PostgreSQL logs in as this server's configuration says. */
export async function connectionEnvironment(
  server: ServerConfig,
  certificateFile?: string,
): Promise<Record<string, string>> {
  const files = certificateFile === undefined ? {} : { PGSSLROOTCERT: certificateFile };
  return await libpqEnvironment({ database: "postgres", applicationName: "soar-restore", ...server }, files);
}

/** `--dbname` for a name of any characters: libpq takes one with an equals sign for a connection string. */
export function databaseArgument(name: string): string {
  return `--dbname=dbname='${name.replaceAll(/['\\]/g, "\\$&")}'`;
}
