import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { SoarError } from "@soar/errors";

const PROGRAM = "soar-base-backup";

/** How an operator starts the base backup that a gap needs. */
export function baseBackupCommand(envFile: string | undefined): readonly string[] {
  return envFile === undefined ? [PROGRAM] : [PROGRAM, "--env-file", envFile];
}

/** Whether the program can be found. */
export function isBaseBackupInstalled(path = process.env["PATH"] ?? ""): boolean {
  return path.split(delimiter).some((directory) => existsSync(join(directory, PROGRAM)));
}

/** Takes a base backup and waits for it; its log goes to stderr. Rejects with `PROGRAM_FAILED`. */
export async function takeBaseBackup(envFile: string | undefined, signal: AbortSignal): Promise<void> {
  const [program = PROGRAM, ...args] = baseBackupCommand(envFile);
  // Its result is not this command's: stdout is for data. A signal to the group reaches it by itself, another one is passed on.
  const child = spawn(program, args, { stdio: ["ignore", 2, 2] });
  const pass = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", pass, { once: true });
  const outcome = await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (status, signalName) =>
      resolve(status === 0 ? "" : `it ended with ${status ?? signalName ?? "nothing"}`),
    );
  });
  signal.removeEventListener("abort", pass);
  if (outcome === "") return;
  throw new SoarError("PROGRAM_FAILED", `the gap is declared, but the base backup failed: ${outcome}`, {
    hint: `Nothing behind the gap can be restored until there is one. Run: ${[program, ...args].join(" ")}`,
  });
}
