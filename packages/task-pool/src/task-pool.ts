import type { Worker } from "node:worker_threads";
import { SoarError } from "@soar/errors";
import { aborted } from "./aborted.ts";
import { type Job, WorkerSlot } from "./worker-slot.ts";

export interface TaskPoolOptions {
  readonly workers: number;
  /**
   * Tasks that a thread has at once; 2 unless said otherwise: one runs and one waits, so that no thread idles while an answer
   * and the next task cross over. With 1, a task that waits for something never meets another one in its thread.
   */
  readonly tasksPerWorker?: number | undefined;
  /** A thread that had nothing to do for this long ends, and its memory is given back; otherwise threads stay until `close`. */
  readonly idleMs?: number | undefined;
}

/**
 * Spreads tasks over worker threads, in order of arrival, to the worker with the least to do. Threads start when there is
 * work and never keep an idle process alive; one that dies fails its own tasks only. The threads call `serveTasks`.
 */
export class TaskPool<Task, Result> {
  readonly #slots: readonly WorkerSlot<Task, Result>[];
  readonly #tasksPerWorker: number;
  readonly #queue = new Set<Job<Task, Result>>();
  #closed = false;

  constructor(start: () => Worker, { workers, tasksPerWorker = 2, idleMs }: TaskPoolOptions) {
    this.#tasksPerWorker = tasksPerWorker;
    const events = { onFree: () => this.#dispatch(), idleMs };
    this.#slots = Array.from({ length: workers }, () => new WorkerSlot(start, events));
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

  /** Stops all threads. Tasks that are not finished reject with `ABORTED`, once the thread that had them has ended. */
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

  /** Of those that have equally little to do, one that runs already: a thread costs memory and time to start. */
  #leastLoaded(): WorkerSlot<Task, Result> | undefined {
    let best: WorkerSlot<Task, Result> | undefined;
    for (const slot of this.#slots) {
      if (slot.load >= this.#tasksPerWorker) continue;
      const isBetter =
        best === undefined || slot.load < best.load || (slot.load === best.load && slot.isStarted && !best.isStarted);
      if (isBetter) best = slot;
    }
    return best;
  }
}
