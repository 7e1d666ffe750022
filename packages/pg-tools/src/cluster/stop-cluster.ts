import { setTimeout as delay } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import { isAlive, sendSignal } from "./cluster-processes.ts";
import { isClusterRunning, readClusterState } from "./cluster-state.ts";

export interface StopClusterOptions {
  readonly dataDir: string;
  /** `smart` waits for clients, `fast` (unless said otherwise) ends them, `immediate` needs crash recovery afterwards. */
  readonly mode?: "smart" | "fast" | "immediate";
  /** Unless said otherwise 60 seconds for `immediate`, and an hour for the others, which write a checkpoint first. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A checkpoint of large shared buffers takes many minutes on a slow disk; who does not want to wait raises the signal. */
const STOP_TIMEOUTS_MS = { smart: 3600_000, fast: 3600_000, immediate: 60_000 } as const;
const POLL_MS = 20;
/** PostgreSQL documentation, "Shutting Down the Server". */
const SIGNALS = { smart: "SIGTERM", fast: "SIGINT", immediate: "SIGQUIT" } as const;

/**
 * Stops the server of a data directory and waits until none of its processes is left. Returns false when none ran.
 * Rejects with `SERVER_RUNNING` when it does not end in time, `ABORTED` when the signal was raised.
 */
export async function stopCluster(options: StopClusterOptions): Promise<boolean> {
  const { dataDir, mode = "fast", timeoutMs = STOP_TIMEOUTS_MS[mode] } = options;
  const { pid, running } = await readClusterState(dataDir);
  if (!running) return false;
  if (pid !== undefined) sendSignal(pid, SIGNALS[mode]);
  const deadline = performance.now() + timeoutMs;
  while ((pid !== undefined && (await isAlive(pid))) || (await isClusterRunning(dataDir))) {
    if (options.signal?.aborted === true)
      throw new SoarError("ABORTED", `unable to stop the server of '${dataDir}': stopped by the caller`);
    if (performance.now() > deadline) {
      throw new SoarError(
        "SERVER_RUNNING",
        `unable to stop the server of '${dataDir}': it still runs after ${Math.round(timeoutMs / 1000)} s`,
        {
          hint:
            mode === "immediate"
              ? "Look for processes that hang in the kernel (state D)."
              : "Stop it in mode 'immediate'; nothing committed is lost, and the next start recovers.",
        },
      );
    }
    await delay(POLL_MS);
  }
  return true;
}
