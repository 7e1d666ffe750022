import type { Worker } from "node:worker_threads";
import { SoarError } from "@soar/errors";
import { aborted } from "./aborted.ts";
import type { Task, TaskResults } from "./tasks.ts";
import { type Job, WorkerSlot } from "./worker-slot.ts";

/** One job runs and one waits in each worker, so that none idles while an answer and the next task cross over. */
const JOBS_PER_WORKER = 2;

/** Spreads tasks over worker threads, in order of arrival, to the worker with the least to do. */
export class TaskScheduler {
  readonly #slots: readonly WorkerSlot[];
  readonly #queue = new Set<Job>();
  #closed = false;

  constructor(workers: number, start: () => Worker) {
    this.#slots = Array.from({ length: workers }, () => new WorkerSlot(start, () => this.#dispatch()));
  }

  async run<Kind extends keyof TaskResults>(task: Task & { kind: Kind }, moves: readonly ArrayBuffer[], signal: AbortSignal | undefined): Promise<TaskResults[Kind]> {
    if (this.#closed) throw new SoarError("ABORTED", "unable to start a codec task: the pool is closed");
    if (signal?.aborted === true) throw aborted(signal);
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<TaskResults[Kind]>((resolve, reject) => {
        // The worker answers a task with the result of its kind; the types cannot follow that across threads.
        const job: Job = { task, moves, resolve: (result) => resolve(result as TaskResults[Kind]), reject };
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
    for (const job of waiting) job.reject(new SoarError("ABORTED", "unable to finish a codec task: the pool was closed"));
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

  #leastLoaded(): WorkerSlot | undefined {
    let best: WorkerSlot | undefined;
    for (const slot of this.#slots) {
      if (slot.load < JOBS_PER_WORKER && (best === undefined || slot.load < best.load)) best = slot;
    }
    return best;
  }
}
