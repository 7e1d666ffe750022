import { fileURLToPath } from "node:url";
import { startProgram, type ProgramResult, type StartedProgram } from "@soar-tooling/test-bench";

export const BIN = fileURLToPath(new URL("../bin/soar-restore.js", import.meta.url));

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts the built binary with nothing of this process's environment but the path. */
export function startRestore(
  args: readonly string[],
  { env = {}, cwd = process.cwd() }: RunOptions = {},
): StartedProgram {
  return startProgram([process.execPath, "--", BIN, ...args], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", COLUMNS: "80", SOAR_REQUIRE_ENDPOINT: "1", ...env },
  });
}

export function runRestore(args: readonly string[], options: RunOptions = {}): Promise<ProgramResult> {
  return startRestore(args, options).result;
}
