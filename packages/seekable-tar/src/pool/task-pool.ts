import type { Worker } from "node:worker_threads";
import { SoarError } from "@soar/errors";
import { aborted } from "./aborted.ts";
import { type Job, WorkerSlot } from "./worker-slot.ts";

/** One job runs and one waits in each worker, so that none idles while an answer and the next task cross over. */
const JOBS_PER_WORKER = 2;

/**
 * Spreads tasks over worker threads, in order of arrival, to the worker with the least to do. Threads start when there is
 * work and never keep an idle process alive; one that dies fails its own tasks only. The threads call `serveTasks`.
 */
export class TaskPool<Task, Result> {
  readonly #slots: readonly WorkerSlot<Task, Result>[];
  readonly #queue = new Set<Job<Task, Result>>();
  #closed = false;

  constructor(workers: number, start: () => Worker) {
    this.#slots = Array.from({ length: workers }, () => new WorkerSlot(start, () => this.#dispatch()));
  }

  /**
   * `moves` is memory that goes to the thread instead of being copied. Rejects with what the task fails with, and with
   * `ABORTED` after `close` and for a task that had not begun when its signal aborted; one that has begun is finished.
   */
  async run(task: Task, moves: readonly ArrayBuffer[], signal: AbortSignal | undefined): Promise<Result> {
    if (this.#closed) throw new SoarError("ABORTED", "unable to start a task: the pool is closed");
    if (signal?.aborted === true) throw aborted(signal);
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<Result>((resolve, reject) => {
        const job: Job<Task, Result> = { task, moves, resolve, reject };
        // A task that runs is finished, in milliseconds: it may be writing to a file that its caller would close.
        onAbort = () => this.#queue.delete(job) && signal !== undefined && reject(aborted(signal));
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#queue.add(job);
        this.#dispatch();
      });
    } finally {
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const waiting = [...this.#queue];
    this.#queue.clear();
    for (const job of waiting) job.reject(new SoarError("ABORTED", "unable to finish a task: the pool was closed"));
    await Promise.all(this.#slots.map((slot) => slot.close()));
  }

  #dispatch(): void {
    for (const job of this.#queue) {
      const slot = this.#leastLoaded();
      if (slot === undefined) return;
      this.#queue.delete(job);
      slot.send(job);
    }
  }

  #leastLoaded(): WorkerSlot<Task, Result> | undefined {
    let best: WorkerSlot<Task, Result> | undefined;
    for (const slot of this.#slots) {
      if (slot.load < JOBS_PER_WORKER && (best === undefined || slot.load < best.load)) best = slot;
    }
    return best;
  }
}
