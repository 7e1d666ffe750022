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

/**
 * One worker thread and the jobs that it has. A thread that dies fails its jobs, and the next job starts a new one, so
 * that nobody ever waits for a dead thread.
 */
export class WorkerSlot<Task, Result> {
  readonly #start: () => Worker;
  readonly #onFree: () => void;
  readonly #jobs = new Map<number, Job<Task, Result>>();
  #worker: Worker | undefined;
  #nextId = 0;

  constructor(start: () => Worker, onFree: () => void) {
    this.#start = start;
    this.#onFree = onFree;
  }

  /** Jobs that were sent and not answered yet. */
  get load(): number {
    return this.#jobs.size;
  }

  send(job: Job<Task, Result>): void {
    const worker = (this.#worker ??= this.#open());
    const id = this.#nextId++;
    const request: WorkerRequest<Task> = { id, task: job.task };
    try {
      worker.postMessage(request, job.moves);
    } catch (cause) {
      job.reject(new Error("unable to hand a task to a worker thread: its memory cannot be moved", { cause }));
      return;
    }
    this.#jobs.set(id, job);
    // Only a worker that has something to do keeps the process alive.
    worker.ref();
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
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
    if (this.#jobs.size === 0) worker.unref();
    if ("result" in reply) job?.resolve(reply.result);
    else job?.reject(revive(reply.failure));
    this.#onFree();
  }

  #lose(worker: Worker, cause: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#failAll(new Error(`a worker thread died: ${cause.message}`, { cause }));
    this.#onFree();
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
