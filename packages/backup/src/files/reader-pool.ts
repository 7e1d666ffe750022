import { Worker } from "node:worker_threads";
import type { DigestFilter } from "@soar/seekable-tar/members";
import { TaskPool } from "@soar/task-pool";
import type { PackedRun, ReadTask } from "./read-tasks.ts";

export type ReaderPool = TaskPool<ReadTask, PackedRun>;

/** Threads that read, check and compress files; `known` are the digests of what earlier backups hold. */
export function createReaderPool(workers: number, known: DigestFilter | undefined): ReaderPool {
  // A bundler does not see through this expression: bundles carry the worker as an entry of their own, `reader-worker.js`.
  const url = new URL(import.meta.url.endsWith(".ts") ? "./reader-worker.ts" : "./reader-worker.js", import.meta.url);
  // As for the codec pool: readers hold buffers, not objects.
  const resourceLimits = { maxYoungGenerationSizeMb: 8 };
  return new TaskPool(() => new Worker(url, { name: "soar-reader", resourceLimits, workerData: known?.memory }), {
    workers,
  });
}
