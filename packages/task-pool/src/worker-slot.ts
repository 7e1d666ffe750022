import { Worker } from "node:worker_threads";
import { SoarError } from "@soar/errors";
import type { WorkerFailure, WorkerReply, WorkerRequest } from "./worker-messages.ts";

/** One task on its way through the pool. */
export interface Job<Task, Result> {
  readonly task: Task;
  /** Memory that moves to the worker. */
  readonly moves: readonly ArrayBuffer[];
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

export interface WorkerSlotOptions {
  /** Called whenever there is room for another job. */
  readonly onFree: () => void;
  /** As in `TaskPoolOptions`. */
  readonly idleMs: number | undefined;
}

/**
 * One worker thread and the jobs that it has. A thread that dies fails its jobs, and the next job starts a new one, so
 * that nobody ever waits for a dead thread.
 */
export class WorkerSlot<Task, Result> {
  readonly #start: () => Worker;
  readonly #options: WorkerSlotOptions;
  readonly #jobs = new Map<number, Job<Task, Result>>();
  #worker: Worker | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #nextId = 0;

  constructor(start: () => Worker, options: WorkerSlotOptions) {
    this.#start = start;
    this.#options = options;
  }

  /** Jobs that were sent and not answered yet. */
  get load(): number {
    return this.#jobs.size;
  }

  /** Whether the thread is there; it starts with the next job otherwise. */
  get isStarted(): boolean {
    return this.#worker !== undefined;
  }

  send(job: Job<Task, Result>): void {
    const worker = (this.#worker ??= this.#open());
    const id = this.#nextId++;
    const request: WorkerRequest<Task> = { id, task: job.task };
    try {
      worker.postMessage(request, job.moves);
    } catch (cause) {
      job.reject(new Error("unable to hand a task to a worker thread: its memory cannot be moved", { cause }));
      if (this.#jobs.size === 0) this.#rest(worker);
      return;
    }
    clearTimeout(this.#idleTimer);
    this.#jobs.set(id, job);
    // Only a worker that has something to do keeps the process alive.
    worker.ref();
  }

  async close(): Promise<void> {
    const worker = this.#release();
    // Jobs fail after the thread has ended: who gets the error may close the files that the thread was writing to.
    await worker?.terminate();
    this.#failAll(new SoarError("ABORTED", "unable to finish a task: the pool was closed"));
  }

  #open(): Worker {
    const worker = this.#start();
    worker.on("message", (reply: WorkerReply<Result>) => this.#finish(worker, reply));
    worker.on("error", (cause) => this.#lose(worker, cause));
    worker.on("messageerror", (cause) => this.#lose(worker, cause));
    worker.on("exit", (status) => this.#lose(worker, new Error(`it exited with status ${status}`)));
    return worker;
  }

  #finish(worker: Worker, reply: WorkerReply<Result>): void {
    const job = this.#jobs.get(reply.id);
    this.#jobs.delete(reply.id);
    if (this.#jobs.size === 0) this.#rest(worker);
    if ("result" in reply) job?.resolve(reply.result);
    else job?.reject(revive(reply.failure));
    this.#options.onFree();
  }

  /** Until the next job. */
  #rest(worker: Worker): void {
    worker.unref();
    const { idleMs } = this.#options;
    if (idleMs === undefined) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => void this.#release()?.terminate(), idleMs).unref();
  }

  /** What becomes of the thread from here on is not this slot's business. */
  #release(): Worker | undefined {
    const worker = this.#worker;
    this.#worker = undefined;
    clearTimeout(this.#idleTimer);
    return worker;
  }

  #lose(worker: Worker, cause: Error): void {
    if (this.#worker !== worker) return;
    this.#release();
    this.#failAll(new Error(`a worker thread died: ${cause.message}`, { cause }));
    this.#options.onFree();
  }

  #failAll(error: Error): void {
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) job.reject(error);
  }
}

function revive({ message, stack, code, hint, systemCode }: WorkerFailure): Error {
  if (code !== undefined) return new SoarError(code, message, { hint });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return systemCode === undefined ? error : Object.assign(error, { code: systemCode });
}
