import { spawn } from "node:child_process";
import { meansAbsent } from "@soar/durable-files";
import { redactSecrets, SoarError } from "@soar/errors";

/** The whole environment of programs of the system. */
export type Environment = Readonly<Record<string, string>>;

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of the system to its end, whatever its status. Undefined when there is no such program on the path. */
export async function runCommand(words: readonly string[], env: Environment): Promise<CommandResult | undefined> {
  const [program = "", ...args] = words;
  const child = spawn(program, args, { env: { ...env, LC_ALL: "C" }, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      meansAbsent(error) || error.code === "EACCES" ? resolve(undefined) : reject(error),
    );
    // Killed by a signal is a failure like any other.
    child.once("close", (status) => resolve({ status: status ?? 1, stdout, stderr }));
  });
}

/** Rejects with `PROGRAM_MISSING` or `PROGRAM_FAILED` unless it succeeds. */
export async function requireCommand(words: readonly string[], env: Environment): Promise<void> {
  const command = words.join(" ");
  const result = await runCommand(words, env);
  if (result === undefined)
    throw new SoarError("PROGRAM_MISSING", `unable to run '${command}': there is no such program`, {
      hint: "Run the command yourself, then give the restore's command again: it goes on.",
    });
  if (result.status === 0) return;
  const said = (result.stderr.trim() === "" ? result.stdout : result.stderr)
    .trim()
    .split("\n")
    .slice(0, 5)
    .map(redactSecrets);
  throw new SoarError(
    "PROGRAM_FAILED",
    `unable to run '${command}': ${[`exit status ${result.status}`, ...said].join("; ")}`,
    { hint: "See to it that this command succeeds, then give the restore's command again: it goes on." },
  );
}
