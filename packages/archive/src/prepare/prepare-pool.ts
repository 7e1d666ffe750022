import { Worker } from "node:worker_threads";
import { TaskPool } from "@soar/task-pool";
import type { PrepareResult, PrepareResults, PrepareTask } from "./prepare-task.ts";

/**
 * Threads that read, check, hash and compress WAL files, so that the thread that talks to PostgreSQL and to the store is
 * always free. They start with the first task, stay as long as there is work, and end when idle: a quiet server's
 * archiver holds no memory for them. Rejects as `TaskPool` does.
 */
export interface PreparePool {
  run<Kind extends keyof PrepareResults>(
    task: PrepareTask & { kind: Kind },
    moves: readonly ArrayBuffer[],
    signal: AbortSignal | undefined,
  ): Promise<PrepareResults[Kind]>;
  close(): Promise<void>;
}

const IDLE_MS = 5_000;

export function createPreparePool({ workers }: { readonly workers: number }): PreparePool {
  // A bundler does not see through this expression: bundles carry the worker as an entry of their own.
  const url = new URL(import.meta.url.endsWith(".ts") ? "./prepare-worker.ts" : "./prepare-worker.js", import.meta.url);
  // A worker holds buffers, not objects: without the limit each would grow its young generation to some 40 MB.
  const start = (): Worker =>
    new Worker(url, { name: "soar-prepare", resourceLimits: { maxYoungGenerationSizeMb: 8 } });
  // One task at a time: each waits for its file, and uses the thread's memory for it.
  const threads = new TaskPool<PrepareTask, PrepareResult>(start, { workers, tasksPerWorker: 1, idleMs: IDLE_MS });
  return {
    // A thread answers a task with the result of its kind; the types cannot follow that across threads.
    run: async <Kind extends keyof PrepareResults>(
      task: PrepareTask & { kind: Kind },
      moves: readonly ArrayBuffer[],
      signal: AbortSignal | undefined,
    ) => (await threads.run(task, moves, signal)) as PrepareResults[Kind],
    close: () => threads.close(),
  };
}
