import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { serverUser } from "@soar-tooling/test-bench";
import { isPostgres, peakMb } from "../process-cost.ts";

/** A variable that everything inherits which one archive_command started, also what it has left in the background. */
export const MARK = "SOAR_BENCH_MARK";

/** Most memory of each living process with this mark, together, in bytes. The server's own processes do not count. */
export function markedBytes(mark: string): number {
  const wanted = `${MARK}=${mark}`;
  let bytes = 0;
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || !environmentOf(pid).includes(wanted) || isPostgres(pid)) continue;
    bytes += peakMb(pid) * 1024 ** 2;
  }
  return bytes;
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch (error) {
    // It has ended meanwhile, or is a kernel's or somebody else's.
    if (error instanceof Error && "code" in error && ["ENOENT", "ESRCH", "EACCES"].includes(String(error.code)))
      return [];
    throw error;
  }
}

/** Starts what is resident, as the server's user. The returned function ends it and waits for that. */
export function startMarked(words: readonly string[], env: Readonly<Record<string, string>>): () => Promise<void> {
  const [program = "", ...args] = words;
  const { uid, gid } = serverUser();
  const child = spawn(program, args, { cwd: "/tmp", stdio: ["ignore", "ignore", "inherit"], env, uid, gid });
  const ended = new Promise<void>((resolve, reject) => child.once("exit", () => resolve()).once("error", reject));
  ended.catch(() => undefined);
  return async () => {
    child.kill("SIGTERM");
    await ended;
  };
}
