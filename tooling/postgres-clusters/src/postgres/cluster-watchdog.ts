import { spawn } from "node:child_process";

/**
 * Waits for the end of its standard input, which comes when the test process ends, however it ends. Then it stops the
 * server of the data directory and of every one below the cluster's own directory, and removes the latter. A word on the input dismisses it.
 * The process id is believed only if that process works in this very data directory: ids are given out again.
 */
const SCRIPT = `
read -r word && exit 0
for file in "$0"/*/postmaster.pid "$1"/postmaster.pid; do
  [ -f "$file" ] || continue
  read -r pid < "$file"
  [ "$(readlink "/proc/$pid/cwd")" = "\${file%/postmaster.pid}" ] || continue
  kill -QUIT "$pid"
  n=0
  while kill -0 "$pid" 2>/dev/null && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null
done
rm -rf "$0"
`;

export interface ClusterWatchdog {
  /** Call when the servers are stopped and the directory is gone. */
  dismiss(): Promise<void>;
}

/** Starts a process that outlives this one just long enough to stop the servers of `dataDir` and below `directory`, and to remove `directory`. */
export function startClusterWatchdog(directory: string, dataDir: string): ClusterWatchdog {
  // In a session of its own: Ctrl-C and a killed process group must not reach it.
  const child = spawn("/bin/sh", ["-c", SCRIPT, directory, dataDir], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    cwd: "/",
  });
  const ended = new Promise<void>((resolve, reject) => child.once("exit", () => resolve()).once("error", reject));
  child.unref();
  // The pipe must not keep a finished test process alive either.
  if ("unref" in child.stdin && typeof child.stdin.unref === "function") child.stdin.unref();
  return {
    async dismiss() {
      child.ref();
      child.stdin.end("dismissed\n");
      await ended;
    },
  };
}
