import { Worker } from "node:worker_threads";
import { memoryOf, TaskPool } from "@soar/task-pool";
import type {
  CheckedRange,
  RangeTask,
  SegmentFacts,
  SegmentTask,
  StoredRangeTask,
  VerifyResult,
  VerifyTask,
} from "./verify-task.ts";

/** Worker threads that open, hash and check what was read. */
export interface VerifyPool {
  readonly workers: number;
  /** The memory of `stored` moves to the worker, and comes back with the result. */
  checkRange(task: Omit<RangeTask, "kind">, signal: AbortSignal | undefined): Promise<CheckedRange>;
  /** Numbers of the members whose stored bytes are not what was recorded. The memory of `stored` moves to the worker. */
  compareStored(task: Omit<StoredRangeTask, "kind">, signal: AbortSignal | undefined): Promise<readonly number[]>;
  /** Rejects as `inspectSegment` does. The memory of `stored` moves to the worker. */
  checkSegment(task: Omit<SegmentTask, "kind">, signal: AbortSignal | undefined): Promise<SegmentFacts>;
  close(): Promise<void>;
}

export function createVerifyPool(workers: number): VerifyPool {
  // A bundler does not see through this expression: bundles carry the worker as an entry of their own.
  const url = new URL(import.meta.url.endsWith(".ts") ? "./verify-worker.ts" : "./verify-worker.js", import.meta.url);
  const threads = new TaskPool<VerifyTask, VerifyResult>(
    () => new Worker(url, { name: "soar-verify", resourceLimits: { maxYoungGenerationSizeMb: 8 } }),
    { workers },
  );
  return {
    workers,
    async checkRange(task, signal) {
      const result = await threads.run({ kind: "range", ...task }, memoryOf(task.stored), signal);
      return result.kind === "range" ? result : unexpected();
    },
    async compareStored(task, signal) {
      const result = await threads.run({ kind: "stored", ...task }, memoryOf(task.stored), signal);
      return result.kind === "stored" ? result.changed : unexpected();
    },
    async checkSegment(task, signal) {
      const result = await threads.run({ kind: "segment", ...task }, memoryOf(task.stored), signal);
      return result.kind === "segment" ? result.facts : unexpected();
    },
    close: () => threads.close(),
  };
}

function unexpected(): never {
  throw new TypeError("a worker answered another task than it was asked");
}
