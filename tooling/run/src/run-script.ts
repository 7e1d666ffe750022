import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { ROOT } from "./root.ts";

/** Runs a source file of the workspace on this Node, with this terminal, and resolves to its exit status. */
export function runScript(script: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, ["--conditions=soar-source", join(ROOT, script), ...args], {
    cwd: ROOT,
    stdio: "inherit",
  });
  // The child hears Ctrl-C from the terminal and decides how to end; this process only waits for it.
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status, signal) => resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
